package messages

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// logs is where lines of the log are documented: each message with the keys that its call gives, and each key.
const logs = "docs/logs.md"

// logging are the folders whose code logs. The plugin logs nothing.
var logging = []string{"cmd/manager", "controllers", "internal"}

// wellFormed is a key as Kubernetes' own logs have them.
var wellFormed = regexp.MustCompile(`^[a-z]+([A-Z][a-z0-9]+|[A-Z]+)*$`)

// logCalls are the calls of one message.
type logCalls struct {
	level string
	keys  map[string]bool
}

// logged are the messages that the sources log, and every key; wrong is what cannot be told from the source.
type logged struct {
	messages map[string]*logCalls
	keys     map[string]bool
	wrong    []string
}

func TestLogsAreDocumented(t *testing.T) {
	found := logged{messages: map[string]*logCalls{}, keys: map[string]bool{}}
	for _, folder := range logging {
		found.walk(t, folder)
	}
	if len(found.messages) < 20 {
		t.Fatalf("only %d messages are found", len(found.messages))
	}
	for _, wrong := range found.wrong {
		t.Error(wrong)
	}
	messages, keys := map[string]string{}, map[string]bool{}
	for message, calls := range found.messages {
		messages[message] = calls.level + ": " + strings.Join(slices.Sorted(maps.Keys(calls.keys)), ", ")
	}
	documentedMessages, documentedKeys := documentedLogs(t)
	if diff := cmp.Diff(messages, documentedMessages); diff != "" {
		t.Errorf("the messages in %s differ from the sources' (-sources +documented):\n%s", logs, diff)
	}
	for key := range documentedKeys {
		keys[key] = true
	}
	if diff := cmp.Diff(found.keys, keys); diff != "" {
		t.Errorf("the keys in %s differ from the sources' (-sources +documented):\n%s", logs, diff)
	}
	for _, wrong := range misspelt(found.keys) {
		t.Error(wrong)
	}
}

// misspelt are keys that are not as Kubernetes has them, or that are another one with a tail.
func misspelt(keys map[string]bool) (wrong []string) {
	for key := range keys {
		if !wellFormed.MatchString(key) {
			wrong = append(wrong, fmt.Sprintf("key %q is not lowerCamelCase", key))
		}
		for _, tail := range []string{"Name", "Id", "Namespace", "Ref"} {
			if keys[key+tail] {
				wrong = append(wrong, fmt.Sprintf("keys %q and %q are for one thing: an object is logged whole, by client.ObjectKeyFromObject", key, key+tail))
			}
		}
	}
	return wrong
}

func TestMisspeltKeysAreFound(t *testing.T) {
	for key, wrong := range map[string]bool{
		"session": false, "targetPod": false, "uid": false, "targetUID": false, "expiresAt": false, "requestID": false,
		"Session": true, "target_pod": true, "target-pod": true, "a key": true,
	} {
		if got := misspelt(map[string]bool{key: true}); len(got) > 0 != wrong {
			t.Errorf("%s: %q", key, got)
		}
	}
	if got := misspelt(map[string]bool{"pod": true, "podName": true}); len(got) != 1 {
		t.Errorf("one thing with two keys: %q", got)
	}
}

func (l *logged) walk(t *testing.T, folder string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
		switch name, relErr := filepath.Rel(root, path); {
		case err != nil || relErr != nil:
			return errors.Join(err, relErr)
		case entry.IsDir() && slices.Contains([]string{"internal/dbgcli", "internal/fixture", "internal/fakekubelet"}, filepath.ToSlash(name)):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		l.read(files, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// read finds the calls of a logger. There is no other Info, Error or WithValues whose arguments are such.
func (l *logged) read(files *token.FileSet, file *ast.File) {
	ast.Inspect(file, func(node ast.Node) bool {
		if declared, ok := node.(*ast.FuncDecl); ok && givesKeys(declared) {
			l.given(declared)
		}
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		at, level := files.Position(call.Pos()).String(), ""
		var pairs []ast.Expr
		switch {
		case method.Sel.Name == "WithValues":
			pairs = call.Args
		case method.Sel.Name == "Info" && len(call.Args) > 0 && text(call.Args[0]) != "…":
			level, pairs = verbosity(method.X), call.Args[1:]
		case method.Sel.Name == "Error" && len(call.Args) > 1 && text(call.Args[1]) != "…":
			level, pairs = "error", call.Args[2:]
		default:
			return true
		}
		keys := l.pairs(at, call, pairs)
		if level == "error" && slices.Contains(keys, "error") {
			l.wrong = append(l.wrong, at+": the logger gives the key error itself")
		}
		if level != "" {
			l.call(level, text(call.Args[len(call.Args)-len(pairs)-1]), keys)
		}
		return true
	})
}

func (l *logged) call(level, message string, keys []string) {
	calls := l.messages[message]
	if calls == nil {
		calls = &logCalls{level: level, keys: map[string]bool{}}
		l.messages[message] = calls
	}
	for _, key := range keys {
		calls.keys[key] = true
	}
	if calls.level != level {
		l.wrong = append(l.wrong, fmt.Sprintf("%q is logged as %s and as %s", message, calls.level, level))
	}
}

// pairs are the keys of a call. What is spread are those of a function that gives keys.
func (l *logged) pairs(at string, call *ast.CallExpr, pairs []ast.Expr) (keys []string) {
	if call.Ellipsis.IsValid() {
		pairs = nil
		ast.Inspect(call, func(node ast.Node) bool {
			if list, ok := node.(*ast.CompositeLit); ok {
				pairs = append(pairs, list.Elts...)
			}
			return true
		})
	}
	for i := 0; i < len(pairs); i += 2 {
		literal, ok := pairs[i].(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			l.wrong = append(l.wrong, at+": a key is not a string")
			continue
		}
		key, _ := strconv.Unquote(literal.Value)
		l.keys[key] = true
		keys = append(keys, key)
	}
	return keys
}

// givesKeys reports whether a function returns keys and values for a line of the log.
func givesKeys(declared *ast.FuncDecl) bool {
	if declared.Type.Results == nil || len(declared.Type.Results.List) != 1 {
		return false
	}
	list, ok := declared.Type.Results.List[0].Type.(*ast.ArrayType)
	if !ok {
		return false
	}
	of, ok := list.Elt.(*ast.Ident)
	return ok && of.Name == "any"
}

// given takes all strings in such a function for keys.
func (l *logged) given(declared *ast.FuncDecl) {
	ast.Inspect(declared.Body, func(node ast.Node) bool {
		literal, ok := node.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return true
		}
		if key, err := strconv.Unquote(literal.Value); err == nil && key != "" {
			l.keys[key] = true
		}
		return true
	})
}

// verbosity is the level of a logger's Info: debug, where it is asked for more than usual.
func verbosity(logger ast.Expr) string {
	if call, ok := logger.(*ast.CallExpr); ok {
		if method, ok := call.Fun.(*ast.SelectorExpr); ok && method.Sel.Name == "V" {
			return "debug"
		}
	}
	return "info"
}

// documentedLogs are the rows of the two tables, by their first cell.
func documentedLogs(t *testing.T) (messages map[string]string, keys map[string]bool) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, logs))
	if err != nil {
		t.Fatal(err)
	}
	messages, keys = map[string]string{}, map[string]bool{}
	for line := range strings.Lines(string(content)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 4 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		first := strings.Trim(cells[1], " `")
		switch {
		case len(cells) == 6:
			messages[first] = strings.TrimSpace(cells[2]) + ": " + strings.ReplaceAll(strings.TrimSpace(cells[3]), "`", "")
		case keys[first]:
			t.Errorf("key %q is documented twice", first)
		default:
			keys[first] = true
		}
	}
	return messages, keys
}
