package command

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"debugsession.dev/operator/internal/dbgcli/request"
)

func newFromDebug(env *environment) *cobra.Command {
	var out *output
	cmd := &cobra.Command{
		Use:     "from-debug -- kubectl debug …",
		Short:   "Print the manifest of a session that does the same as a kubectl debug command",
		Example: "  kubectl dbg from-debug -- kubectl debug checkout-7d9f8-x2k4q -it --image=busybox:1.36 --target=app -- sh",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			options, config, err := parseDebug(args, env)
			if err != nil {
				return err
			}
			namespace, _, err := config.ToRawKubeConfigLoader().Namespace()
			if err != nil {
				return err
			}
			options.Namespace = namespace
			if unused := options.Unused(); unused != "" {
				fmt.Fprintln(env.ErrOut, unused)
			}
			if conn, err := (&environment{IOStreams: env.IOStreams, config: config, now: env.now}).connect(); err == nil {
				lookAtContainers(cmd.Context(), conn, options)
			}
			session, err := options.Session(env.kindOf, "kubectl-debug", env.now())
			if err != nil {
				return err
			}
			return printManifest(env.Out, out, session)
		},
	}
	out = addOutput(cmd, false)
	return cmd
}

// parseDebug reads a command line of kubectl debug, by its own flags.
func parseDebug(args []string, env *environment) (*request.Options, *genericclioptions.ConfigFlags, error) {
	var (
		options request.Options
		flags   requestFlags
		quiet   bool
	)
	config := genericclioptions.NewConfigFlags(true)
	set := pflag.NewFlagSet("kubectl debug", pflag.ContinueOnError)
	set.Usage = func() {}
	config.AddFlags(set)
	flags.bind(set, &options)
	set.BoolVarP(&quiet, "quiet", "q", false, "")
	if err := set.Parse(after("kubectl", args)); err != nil {
		return nil, nil, fmt.Errorf("not a valid kubectl debug command: %w; kubectl debug --help lists its flags", err)
	}
	words, dash := set.Args(), set.ArgsLenAtDash()
	if dash < 0 {
		dash = len(words)
	}
	words, options.Command = after("debug", words[:dash]), words[dash:]
	if len(flags.files) > 0 {
		target, namespace, err := targetOfFiles(flags.files)
		if err != nil {
			return nil, nil, err
		}
		words = append(words, target)
		*config.Namespace = cmp.Or(*config.Namespace, namespace)
	}
	if len(words) != 1 {
		return nil, nil, fmt.Errorf("a session needs exactly one target, but the command names %d", len(words))
	}
	options.Target = words[0]
	return &options, config, flags.finish(&options, env.now())
}

// after leaves out a word that others begin with, if they do.
func after(word string, words []string) []string {
	if len(words) > 0 && words[0] == word {
		return words[1:]
	}
	return words
}
