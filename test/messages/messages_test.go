// Package messages keeps a list of all sentences that the operator and kubectl dbg have for people: of conditions, events, warnings,
// refusals and errors. Who changes one sees it among the others, and in the change.
package messages

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the list anew")

const (
	root   = "../.."
	golden = "testdata/messages.txt"
)

// spoken are the folders whose sentences people read.
var spoken = []string{"api", "cmd", "controllers", "internal"}

// unspoken are those below them whose strings are scripts, metrics' help and the like, or for tests.
var unspoken = []string{"internal/fixture", "internal/fakekubelet", "internal/blobtest", "internal/dbgcli/docs", "internal/metrics"}

func TestMessages(t *testing.T) {
	got := list(t)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil { //nolint:gosec // a file of the repository
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("sentences have changed: read them beside the others, and then: go test ./test/messages -update\n(-list +code)\n%s", diff)
	}
}

func list(t *testing.T) string {
	t.Helper()
	files := map[string][]string{}
	for _, folder := range spoken {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name, err := filepath.Rel(root, path)
			switch {
			case err != nil:
				return err
			case entry.IsDir() && slices.Contains(unspoken, filepath.ToSlash(name)):
				return filepath.SkipDir
			case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") ||
				strings.HasPrefix(entry.Name(), "zz_"):
				return nil
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			if found := sentences(file); len(found) > 0 {
				files[filepath.ToSlash(name)] = found
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(files) < 50 {
		t.Fatalf("only %d files say anything", len(files))
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&text, "\n%s\n", name)
		for _, sentence := range files[name] {
			fmt.Fprintf(&text, "\t%s\n", sentence)
		}
	}
	return strings.TrimPrefix(text.String(), "\n")
}

// sentences are the strings of a file that have at least three words, in their order. What is put between two of them is an ellipsis.
func sentences(file *ast.File) []string {
	var found []string
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.ImportSpec, *ast.StructType:
			return false // tags
		case *ast.BinaryExpr:
			if node.Op == token.ADD && says(text(node)) {
				found = append(found, quoted(text(node)))
				return false
			}
		case *ast.BasicLit:
			if says(text(node)) {
				found = append(found, quoted(text(node)))
			}
		}
		return true
	})
	return found
}

func says(text string) bool { return len(strings.Fields(text)) >= 3 }

// quoted is a string on one line.
func quoted(text string) string {
	q := strconv.Quote(text)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

// text is what an expression is known to say.
func text(expr ast.Expr) string {
	switch expr := expr.(type) {
	case *ast.BasicLit:
		if expr.Kind == token.STRING {
			if said, err := strconv.Unquote(expr.Value); err == nil {
				return said
			}
		}
	case *ast.BinaryExpr:
		if expr.Op == token.ADD {
			return text(expr.X) + text(expr.Y)
		}
	case *ast.ParenExpr:
		return text(expr.X)
	default:
		return "…"
	}
	return ""
}
