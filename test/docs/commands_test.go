package docs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"mvdan.cc/sh/v3/syntax"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/command"
)

// Every block of commands says what tests it, or why nothing runs it; and all of them name only what there is.
func TestCommands(t *testing.T) {
	targets := read(t, "Makefile")
	for _, page := range pages(t) {
		blocks, err := Blocks(root, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range blocks {
			switch {
			case block.Language == "" && prompt.MatchString(block.Text):
				t.Errorf("%s has commands: it begins with ```, and should with ```console", block)
			case !block.OfCommands():
			case block.Mark.Kind == RunsInE2E && block.Mark.Why == "", block.Mark.Kind == Parses && block.Mark.Why != "":
				for _, typed := range block.Commands() {
					if err := check(typed.Line, targets); err != nil {
						t.Errorf("%s: %s\n%v", block, typed.Line, err)
					}
				}
			default:
				t.Errorf("%s: nothing says what tests it: write <!-- test: e2e --> before it, or <!-- test: parse: why it is not run -->", block)
			}
		}
		if indented := regexp.MustCompile(`(?m)\n\n {4}(kubectl|helm|make) .*$`).FindString(prose(t, page)); indented != "" {
			t.Errorf("%s has commands in an indented block, which no test sees: %s", page, strings.TrimSpace(indented))
		}
	}
}

// A command in the text, between backticks, has flags that there are, too.
func TestCommandsInText(t *testing.T) {
	targets := read(t, "Makefile")
	for _, page := range pages(t) {
		for _, span := range regexp.MustCompile("`((?:kubectl dbg|make) [^`…]+)`").FindAllStringSubmatch(prose(t, page), -1) {
			if err := check(span[1], targets); err != nil {
				t.Errorf("%s: %s\n%v", page, span[1], err)
			}
		}
	}
}

// check finds what is wrong with what is typed in a shell.
func check(typed, targets string) error {
	file, err := syntax.NewParser().Parse(strings.NewReader(typed), "")
	if err != nil {
		return err
	}
	var wrong []error
	syntax.Walk(file, func(node syntax.Node) bool {
		if call, ok := node.(*syntax.CallExpr); ok && len(call.Args) > 0 {
			wrong = append(wrong, checkCall(words(call), targets))
		}
		return true
	})
	return errors.Join(wrong...)
}

// words are those of a simple command, without their quotes. What only a shell knows stays as it is written.
func words(call *syntax.CallExpr) []string {
	var all []string
	for _, arg := range call.Args {
		var text strings.Builder
		for _, part := range arg.Parts {
			switch part := part.(type) {
			case *syntax.Lit:
				text.WriteString(part.Value)
			case *syntax.SglQuoted:
				text.WriteString(part.Value)
			default:
				var source bytes.Buffer
				_ = syntax.NewPrinter().Print(&source, part)
				text.WriteString(strings.Trim(source.String(), `"`))
			}
		}
		all = append(all, text.String())
	}
	return all
}

// inRepository is a word that can only be a path from the root of the repository.
var inRepository = regexp.MustCompile(`^(\./)?(api|charts|cmd|config|dist|docs|internal|plugins|test|tools)/[\w./-]+$`)

func checkCall(words []string, targets string) error {
	for _, word := range words {
		if inRepository.MatchString(word) {
			if _, err := os.Stat(filepath.Join(root, word)); err != nil {
				return fmt.Errorf("there is no %s", word)
			}
		}
	}
	switch {
	case words[0] == "make":
		return checkMake(words[1:], targets)
	case words[0] == "kubectl" && len(words) > 1 && words[1] == "dbg":
		return checkPlugin(words[2:])
	}
	return nil
}

func checkMake(words []string, targets string) error {
	for _, word := range words {
		target := strings.Replace(word, "$PWD/bin", "$(BIN)", 1)
		if !strings.Contains(word, "=") && !strings.Contains(targets, "\n"+target+":") {
			return fmt.Errorf("the Makefile has no target %s", target)
		}
	}
	return nil
}

func checkPlugin(words []string) error {
	plugin := command.New(genericiooptions.NewTestIOStreamsDiscard(), "")
	plugin.InitDefaultHelpFlag()
	cmd, rest, err := plugin.Find(words)
	if err != nil {
		return err
	}
	cmd.InitDefaultHelpFlag()
	if err := cmd.ParseFlags(rest); err != nil && !errors.Is(err, pflag.ErrHelp) {
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// What tells commands from what they show, and pages from what is printed.
func TestBlock(t *testing.T) {
	block := Block{Language: "console", Text: "$ a \\\n   b\nshown\n\nalice$ c <<END\nd\nEND\n/ # e\n"}
	got := fmt.Sprintf("%q", block.Commands())
	if want := `[{"a \\\nb" ["shown"]} {"c <<END\nd\nEND" ["/ # e"]}]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for shown, printed := range map[string]string{"NAME…AGE": "NAME   TARGET  AGE", "a b": "a    b", "1 root…sleep": "   1 root      0:00 sleep"} {
		if !Matches(shown, printed) {
			t.Errorf("%q should be what %q shows", printed, shown)
		}
		if Matches(shown, printed+"s") {
			t.Errorf("%q should not be what %q shows", printed+"s", shown)
		}
	}
	for typed, want := range map[string]string{
		"kubectl dbg list --wating":        "unknown flag",
		"a | kubectl dbg end x y":          "accepts at most 1 arg",
		"make tset":                        "no target",
		"kubectl apply -f config/no.yaml":  "there is no config/no.yaml",
		"echo $(kubectl dbg approve --no)": "unknown flag",
		"echo 'open":                       "without closing quote",
	} {
		if err := check(typed, read(t, "Makefile")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", typed, err, want)
		}
	}
}

// Manifests of the operator's own kinds have no field that there is not. test/integration applies them.
func TestManifests(t *testing.T) {
	kinds := map[string]func() any{
		"DebugSession": func() any { return &v1alpha1.DebugSession{} }, "DebugClass": func() any { return &v1alpha1.DebugClass{} },
		"DebugApproval": func() any { return &v1alpha1.DebugApproval{} }, "DebugSink": func() any { return &v1alpha1.DebugSink{} },
	}
	var found []string
	for _, page := range pages(t) {
		blocks, err := Blocks(root, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range blocks {
			for manifest := range strings.SplitSeq(block.Text, "\n---\n") {
				var object struct{ APIVersion, Kind string }
				if block.Language != "yaml" || yaml.Unmarshal([]byte(manifest), &object) != nil || object.APIVersion != v1alpha1.GroupVersion.String() {
					continue
				}
				into, known := kinds[object.Kind]
				if !known {
					t.Errorf("%s: there is no kind %s", block, object.Kind)
					continue
				}
				found = append(found, object.Kind)
				if err := yaml.UnmarshalStrict([]byte(manifest), into()); err != nil {
					t.Errorf("%s: %v", block, err)
				}
			}
		}
	}
	if !slices.Contains(found, "DebugSession") || !slices.Contains(found, "DebugClass") {
		t.Errorf("only %v were found", found)
	}
}
