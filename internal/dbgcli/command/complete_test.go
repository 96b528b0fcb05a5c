package command

import (
	"slices"
	"testing"

	"github.com/spf13/cobra"
)

func TestCompleteTargets(t *testing.T) {
	pods := func(found ...string) cobra.CompletionFunc {
		return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return found, cobra.ShellCompDirectiveNoFileComp
		}
	}
	for name, test := range map[string]struct {
		pods  cobra.CompletionFunc
		args  []string
		typed string
		want  []string
	}{
		"nothing yet":       {pods("web"), nil, "", []string{"web", "pvc/"}},
		"the kind":          {pods(), nil, "pv", []string{"pvc/"}},
		"a claim's name":    {pods("pvc/data"), nil, "pvc/", []string{"pvc/data"}},
		"something else":    {pods("web"), nil, "w", []string{"web"}},
		"after the target":  {pods(), []string{"web"}, "", nil},
		"another kind's to": {pods("deployments/"), nil, "dep", []string{"deployments/"}},
	} {
		got, directive := completeTargets(test.pods)(nil, test.args, test.typed)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
		if alone := len(got) == 1 && got[0] == "pvc/"; alone != (directive&cobra.ShellCompDirectiveNoSpace != 0) {
			t.Errorf("%s: a space after what is completed: %v", name, !alone)
		}
	}
}
