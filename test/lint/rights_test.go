// Package lint holds what is written by hand beside the code to the code.
package lint

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

var word = regexp.MustCompile(`[a-z*]+(/[a-z]+)?`)

// ownNamespace marks what a Role gives, whose names the table tells in its own words.
const ownNamespace = "in its own namespace"

// documented is what the table in docs/security.md says that the operator may do in the whole cluster: each verb and resource.
func documented(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| right | on | why |\n|---|---|---|\n")
	if !found {
		t.Fatal("docs/security.md has no table of rights")
	}
	rights := map[string]bool{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.ReplaceAll(line, `\*`, "*"), "|")
		if len(cells) < 4 {
			break
		}
		if strings.Contains(line, ownNamespace) {
			continue
		}
		resources, _, _ := strings.Cut(cells[2], ", by name")
		for _, verb := range word.FindAllString(cells[1], -1) {
			for _, resource := range word.FindAllString(resources, -1) {
				rights[verb+" "+resource] = true
			}
		}
	}
	return rights
}

// held is what its ClusterRole gives it.
func held(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../../config/rbac/role.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rights := map[string]bool{}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		role := &rbacv1.ClusterRole{}
		if err := yaml.Unmarshal([]byte(document), role); err != nil {
			t.Fatal(err)
		}
		if role.Kind != "ClusterRole" {
			continue
		}
		for _, rule := range role.Rules {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					rights[verb+" "+resource] = true
				}
			}
		}
	}
	return rights
}

// The operator says of each of its rights in the cluster why it has it.
func TestEveryRightIsExplained(t *testing.T) {
	documented, held := documented(t), held(t)
	for _, right := range slices.Sorted(maps.Keys(held)) {
		if !documented[right] {
			t.Errorf("the operator may %s (config/rbac/role.yaml): say why in the table of docs/security.md", right)
		}
	}
	for _, right := range slices.Sorted(maps.Keys(documented)) {
		if !held[right] {
			t.Errorf("the table of docs/security.md says that the operator may %s, and config/rbac/role.yaml does not give it that", right)
		}
	}
}

// A session's status is believed as it is, so nobody is given a role to write one but the operator.
func TestNobodyElseMayWriteAStatus(t *testing.T) {
	roles := 0
	err := filepath.WalkDir("../../config", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" || path == "../../config/rbac/role.yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			role := &rbacv1.ClusterRole{} // a Role's rules are the same
			if yaml.Unmarshal([]byte(document), role) != nil || !strings.HasSuffix(role.Kind, "Role") {
				continue
			}
			roles++
			for _, rule := range role.Rules {
				status := slices.ContainsFunc(rule.Resources, func(r string) bool { return r == "*" || strings.HasSuffix(r, "/status") })
				writes := slices.ContainsFunc(rule.Verbs, func(verb string) bool { return verb == "*" || verb == "update" || verb == "patch" })
				if status && writes {
					t.Errorf("%s: %s %q may %v %v: the status is the operator's alone", path, role.Kind, role.Name, rule.Verbs, rule.Resources)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if roles == 0 {
		t.Fatal("config has no roles")
	}
}
