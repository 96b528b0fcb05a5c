package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// sources are the Go files of a folder, without its tests.
func sources(t *testing.T, folder string) []*ast.File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// reasons are all that a condition or an event of ours can have.
func reasons(t *testing.T) []string {
	t.Helper()
	all := []string{string(v1alpha1.PhaseActive), corev1.PodReasonSchedulingGated}
	for _, outcome := range v1alpha1.Outcomes() {
		all = append(all, string(outcome))
	}
	for _, file := range sources(t, "api/v1alpha1") {
		ast.Inspect(file, func(node ast.Node) bool {
			if spec, ok := node.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Reason") && len(spec.Values) == 1 {
				all = append(all, text(spec.Values[0]))
			}
			return true
		})
	}
	// The kubelet's and the runtime's, which a session shows as they are.
	for _, file := range sources(t, "internal/diagnosis") {
		ast.Inspect(file, func(node ast.Node) bool {
			if word := text(node); regexp.MustCompile(`^([A-Z][a-z]+){2,}$|^OOMKilled$`).MatchString(word) && notShown[word] == "" {
				all = append(all, word)
			}
			return true
		})
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// notShown are words of the kubelet's that no session has as a reason, and why.
var notShown = map[string]string{
	"ContainerCreating":         "it is on its way",
	"PodInitializing":           "it is on its way",
	"ImagePullBackOff":          "shown as ErrImagePull",
	"ValidatingAdmissionPolicy": "words of the API server's",
}

func text(node ast.Node) string {
	literal, ok := node.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return ""
	}
	value, _ := strconv.Unquote(literal.Value)
	return value
}

// typeName is a type's name without its package.
func typeName(node ast.Expr) string {
	switch node := node.(type) {
	case *ast.Ident:
		return node.Name
	case *ast.SelectorExpr:
		return node.Sel.Name
	}
	return ""
}

// docs/troubleshooting.md has a section for each reason, and for nothing else: what it means, and where to look and what to do unless
// there is nothing to do.
func TestEveryReasonIsExplained(t *testing.T) {
	parts := regexp.MustCompile(`(?m)^### (.+)$`).Split(read(t, "docs/troubleshooting.md"), -1)
	var explained []string
	for i, found := range regexp.MustCompile(`(?m)^### (.+)$`).FindAllStringSubmatch(read(t, "docs/troubleshooting.md"), -1) {
		explained = append(explained, found[1])
		section, _, _ := strings.Cut(parts[i+1], "\n## ")
		looks, does := strings.Contains(section, "\n- Look: `"), strings.Contains(section, "\n- Do: ")
		if nothing := strings.Contains(section, "Nothing to do"); looks != does || nothing == does {
			t.Errorf("%s: say where to look (- Look: `COMMAND`) and what to do (- Do: …), or that there is nothing to do", found[1])
		}
	}
	want := reasons(t)
	if len(want) < 70 {
		t.Errorf("only %d reasons were found: %v", len(want), want)
	}
	for _, reason := range want {
		if !slices.Contains(explained, reason) {
			t.Errorf("docs/troubleshooting.md does not explain the reason %s", reason)
		}
	}
	slices.Sort(explained)
	for i, reason := range explained {
		if !slices.Contains(want, reason) || i > 0 && explained[i-1] == reason {
			t.Errorf("docs/troubleshooting.md explains %s, which is no reason, or explains it twice", reason)
		}
	}
}

// Reasons are written with their constants, so that none is forgotten above.
func TestReasonsAreConstants(t *testing.T) {
	var folders []string
	for _, top := range []string{"controllers", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() && entry.Name() != "fakekubelet" { // that speaks as a kubelet
				name, _ := filepath.Rel(root, path)
				folders = append(folders, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range folders {
		for _, file := range sources(t, folder) {
			ast.Inspect(file, func(node ast.Node) bool {
				literal, ok := node.(*ast.CompositeLit)
				if !ok || !slices.Contains([]string{"Condition", "Refusal", "Event"}, typeName(literal.Type)) {
					return true
				}
				for _, element := range literal.Elts {
					if field, ok := element.(*ast.KeyValueExpr); ok && fmt.Sprint(field.Key) == "Reason" && text(field.Value) != "" {
						t.Errorf("%s: the reason %s is no constant of api/v1alpha1", folder, text(field.Value))
					}
				}
				return true
			})
		}
	}
}
