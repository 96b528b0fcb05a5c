package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/kubectl/pkg/cmd/debug"
)

// TestEveryFlagIsInTheDocs holds docs/from-kubectl-debug.md against the flags that the command has.
func TestEveryFlagIsInTheDocs(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "from-kubectl-debug.md"))
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for line := range strings.Lines(string(page)) {
		if row := strings.SplitN(line, "|", 3); len(row) == 3 {
			for _, flag := range regexp.MustCompile(`--[a-z][a-z-]+`).FindAllString(row[1], -1) {
				told[flag] = true
			}
		}
	}
	var missing []string
	debug.NewCmdDebug(nil, genericiooptions.NewTestIOStreamsDiscard()).Flags().VisitAll(func(flag *pflag.Flag) {
		if !told["--"+flag.Name] {
			missing = append(missing, flag.Name)
		}
		delete(told, "--"+flag.Name)
	})
	if len(missing) > 0 {
		t.Errorf("the page does not tell of %v", missing)
	}
	delete(told, "--namespace") // of kubectl, not of this command
	for flag := range told {
		t.Errorf("the page tells of %s, which the command does not have", flag)
	}
}
