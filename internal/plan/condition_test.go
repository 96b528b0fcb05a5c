package plan_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mayReadMessage are the functions that put messages in other places, and decide nothing by them.
var mayReadMessage = []string{"summarize", "pointTo", "over", "completeEnding"}

// A condition's message is for people: what it says is never read back.
func TestNoMessageOfAConditionIsRead(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var readers []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && readsMessage(f) {
				readers = append(readers, f.Name.Name)
			}
		}
	}
	slices.Sort(readers)
	if want := slices.Sorted(slices.Values(mayReadMessage)); !slices.Equal(readers, want) {
		t.Errorf("the message of a condition is read in %v, want %v; put what is to be known later into the status, as a field", readers, want)
	}
}

// readsMessage reports whether the function uses the field Message of what it got by looking up a condition.
func readsMessage(f *ast.FuncDecl) bool {
	conditions, reads := map[string]bool{}, false
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, value := range n.Rhs {
				if name, ok := n.Lhs[i].(*ast.Ident); ok && looksUp(value) {
					conditions[name.Name] = true
				}
			}
		case *ast.SelectorExpr:
			name, ok := n.X.(*ast.Ident)
			reads = reads || n.Sel.Name == "Message" && (ok && conditions[name.Name] || looksUp(n.X))
		}
		return true
	})
	return reads
}

func looksUp(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	called, ok := call.Fun.(*ast.SelectorExpr)
	return ok && slices.Contains([]string{"condition", "FindStatusCondition", "DecisiveCondition"}, called.Sel.Name)
}
