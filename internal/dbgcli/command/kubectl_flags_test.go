package command

import (
	"testing"

	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/kubectl/pkg/cmd/debug"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
)

// Habits work: each flag of kubectl debug is one of kubectl dbg, by its long and its short name, and takes the same.
func TestFlagsOfKubectlDebug(t *testing.T) {
	root := New(genericiooptions.IOStreams{}, "v1")
	compared := 0
	debug.NewCmdDebug(cmdutil.NewFactory(genericclioptions.NewConfigFlags(true)), genericiooptions.IOStreams{}).Flags().
		VisitAll(func(theirs *pflag.Flag) {
			ours := root.Flags().Lookup(theirs.Name)
			if ours == nil || ours.Shorthand != theirs.Shorthand || ours.Value.Type() != theirs.Value.Type() {
				t.Errorf("kubectl debug has --%s, -%s, of type %s, and kubectl dbg has %+v", theirs.Name, theirs.Shorthand,
					theirs.Value.Type(), ours)
			}
			compared++
		})
	if compared < 20 {
		t.Errorf("compared only %d flags", compared)
	}
}
