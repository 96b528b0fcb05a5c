package flux

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// rows are what happens to a session in Git, as the page has it.
func rows(t *testing.T) []string {
	g := NewWithT(t)
	page, err := os.ReadFile(filepath.Join(root, "docs", "gitops.md"))
	g.Expect(err).NotTo(HaveOccurred())
	_, table, found := strings.Cut(string(page), "\n| what happens | what the session does |\n|---|---|\n")
	g.Expect(found).To(BeTrue(), "the page has no such table any more")
	table, _, _ = strings.Cut(table, "\n\n")
	var all []string
	for line := range strings.Lines(table + "\n") {
		all = append(all, strings.Split(strings.TrimSpace(line), " | ")[0][len("| "):])
	}
	return all
}

func TestTheDocumentHasEachFlow(t *testing.T) {
	tested := []string{layout.name}
	for _, f := range slices.Concat(flows, restarts) {
		tested = append(tested, f.name)
	}
	NewWithT(t).Expect(rows(t)).To(ConsistOf(tested))
}

// What is about Flux's own settings, or about the operator alone, has no counterpart in the script for Argo CD.
func TestTheScriptForArgoCDHasEachFlowThatIsNotAboutFlux(t *testing.T) {
	g := NewWithT(t)
	script, err := os.ReadFile("argocd.sh")
	g.Expect(err).NotTo(HaveOccurred())
	var done []string
	for _, match := range regexp.MustCompile(`(?m)^flow '(.*)' [a-z_]+$`).FindAllStringSubmatch(string(script), -1) {
		done = append(done, match[1])
	}
	own := regexp.MustCompile("the Kustomization|force: true|wait: true|examples/gitops|operator|retention")
	g.Expect(done).To(ConsistOf(slices.DeleteFunc(rows(t), own.MatchString)))
	g.Expect(exec.Command("bash", "-n", "argocd.sh").Run()).To(Succeed())
}

// The check is run as a merge request would run it.
func TestTheExampleIsCheckedForNotAfter(t *testing.T) {
	kubectl := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl")
	if _, err := os.Stat(kubectl); err != nil {
		t.Skip("KUBEBUILDER_ASSETS names no folder with kubectl; make test-flux builds it")
	}
	const head = "apiVersion: debugsession.dev/v1alpha1\nkind: DebugSession\n"
	for name, test := range map[string]struct {
		file, refused string
	}{
		"as it is":          {"", ""},
		"bounded":           {head + "metadata: {name: a}\nspec: {ttl: 1h, notAfter: \"2026-11-24T18:00:00Z\"}\n", ""},
		"without":           {head + "metadata: {name: a}\nspec: {ttl: 1h}\n", "session a has no spec.notAfter"},
		"in a comment":      {head + "metadata: {name: a}\nspec:\n  ttl: 1h\n  # notAfter: later\n", "session a has no spec.notAfter"},
		"in the reason":     {head + "metadata: {name: a}\nspec:\n  reason: |\n    x\n    notAfter: later\n", "session a has no spec.notAfter"},
		"in the labels":     {head + "metadata:\n  name: a\n  labels:\n    notAfter: later\nspec: {ttl: 1h}\n", "session a has no spec.notAfter"},
		"the second of two": {head + "metadata: {name: b}\nspec: {notAfter: \"2026-11-24T18:00:00Z\"}\n---\n" + head + "metadata: {name: a}\nspec: {ttl: 1h}\n", "session a has"},
		"no YAML":           {"{", "sessions/shop/new file.yaml: "},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			tree := t.TempDir()
			g.Expect(os.CopyFS(tree, os.DirFS(example))).To(Succeed())
			if test.file != "" {
				g.Expect(os.WriteFile(filepath.Join(tree, "sessions", "shop", "new file.yaml"), []byte(test.file), 0o600)).To(Succeed())
			}
			check := exec.CommandContext(t.Context(), "sh", filepath.Join(tree, "check.sh"))
			check.Env = append(os.Environ(), "PATH="+filepath.Dir(kubectl)+":"+os.Getenv("PATH"))
			out, err := check.CombinedOutput()
			if test.refused == "" {
				g.Expect(err).NotTo(HaveOccurred(), string(out))
				g.Expect(out).To(BeEmpty())
				return
			}
			g.Expect(err).To(HaveOccurred())
			g.Expect(string(out)).To(ContainSubstring(test.refused))
		})
	}
}
