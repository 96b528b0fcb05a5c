package e2e

import (
	"fmt"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// person is somebody other than the administrator who runs the tests: a user of the cluster by a certificate of their own,
// where it is test/cluster's, and by impersonation elsewhere.
type person struct {
	flags []string
}

func user(name string, groups ...string) person {
	if own := filepath.Join(filepath.Dir(os.Getenv("KUBECONFIG")), name+".kubeconfig"); len(groups) == 0 || name == "carol" {
		if _, err := os.Stat(own); err == nil {
			return person{[]string{"--kubeconfig", own}}
		}
	}
	flags := []string{"--as", name, "--as-group", "system:authenticated"}
	for _, group := range groups {
		flags = append(flags, "--as-group", group)
	}
	return person{flags}
}

// serviceAccount makes a service account in the namespace, and is it: by a token of its own.
func (n namespace) serviceAccount(name string) person {
	GinkgoHelper()
	n.kubectl("create", "serviceaccount", name)
	token := n.kubectl("create", "token", name)
	config := filepath.Join(GinkgoT().TempDir(), name+".kubeconfig")
	view := kubectl("config", "view", "--raw", "--minify")
	Expect(os.WriteFile(config, []byte(view), 0o600)).To(Succeed())
	kubectl("--kubeconfig", config, "config", "set-credentials", name, "--token", token)
	kubectl("--kubeconfig", config, "config", "set-context", "--current", "--user", name)
	return person{[]string{"--kubeconfig", config}}
}

// do runs kubectl as the person, in the namespace.
func (p person) do(n namespace, stdin string, args ...string) (string, error) {
	return feedKubectl(stdin, append(append(p.flags, "-n", string(n)), args...)...)
}

// must runs kubectl as the person, which must succeed.
func (p person) must(n namespace, args ...string) string {
	GinkgoHelper()
	out, err := p.do(n, "", args...)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// apply applies a manifest as the person, which must succeed.
func (p person) apply(n namespace, manifest string) {
	GinkgoHelper()
	_, err := p.do(n, manifest, "apply", "-f", "-")
	Expect(err).NotTo(HaveOccurred())
}

// refused applies a manifest as the person, and returns the words with which it was refused.
func (p person) refused(n namespace, manifest string) string {
	GinkgoHelper()
	_, err := p.do(n, manifest, "apply", "-f", "-")
	Expect(err).To(HaveOccurred())
	return err.Error()
}

// class makes a class of the namespace's own, and removes it after the test. Its spec is YAML in a block of two spaces.
func (n namespace) class(spec string) string {
	GinkgoHelper()
	name := string(n) + "-class"
	n.apply("apiVersion: debugsession.dev/v1alpha1\nkind: DebugClass\nmetadata: {name: " + name + "}\nspec:\n" + spec)
	DeferCleanup(func() { kubectl("delete", "debugclass", name, "--ignore-not-found") })
	return name
}

// may lets somebody do something with a class, in the namespace alone. who is a flag of kubectl create rolebinding.
func (n namespace) may(verb, class, who string) {
	GinkgoHelper()
	role := fmt.Sprintf("%s-%s", class, verb)
	n.apply(fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: %s}
rules: [{apiGroups: [debugsession.dev], resources: [debugclasses], resourceNames: [%s], verbs: [%s]}]
`, role, class, verb))
	DeferCleanup(func() { kubectl("delete", "clusterrole", role, "--ignore-not-found") })
	n.kubectl("create", "rolebinding", role+"-"+roleSuffix(who), "--clusterrole="+role, who)
}

// edits gives somebody the cluster's own role edit in the namespace.
func (n namespace) edits(who string) {
	GinkgoHelper()
	n.kubectl("create", "rolebinding", "edit-"+roleSuffix(who), "--clusterrole=edit", who)
}

// roleSuffix makes a name of a flag such as --user=alice.
func roleSuffix(who string) string {
	var suffix []rune
	for _, r := range who {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			suffix = append(suffix, r)
		}
	}
	return string(suffix)
}

func approvalManifest(name, session, decision, more string) string {
	return fmt.Sprintf(
		"apiVersion: debugsession.dev/v1alpha1\nkind: DebugApproval\nmetadata: {name: %s}\nspec: {sessionName: %s, decision: %s%s}\n",
		name, session, decision, more)
}
