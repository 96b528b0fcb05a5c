package command

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"

	"debugsession.dev/operator/internal/dbgcli/story"
	_ "debugsession.dev/operator/internal/dbgcli/untranslated" // a prompt comes the sooner
)

const long = `Open a debugging session: a debugger in a running pod, in a copy of it or on a node, for a limited time and on the record.

kubectl dbg creates a DebugSession, shows what it is waiting for, attaches to it, and ends it when you leave. It takes the flags of
kubectl debug, and needs only permission to create sessions: a session's class decides what it may do and who must approve it.`

const examples = `  # A shell next to the application, in the workload's least healthy pod
  kubectl dbg deploy/checkout

  # One command, with its output and exit code
  kubectl dbg pod/checkout-7d9f8-x2k4q -- ps aux

  # A copy of a crashing pod, with another image
  kubectl dbg sts/db -it --copy --image=busybox:1.36

  # Not now, but in the next pod that hangs within 8 hours: what the command prints is kept
  kubectl dbg deploy/checkout --when=notReadyFor=2m --not-after=8h -- sh -c 'ps; netstat -tn'

  # A node
  kubectl dbg node/worker-1 -n node-debug --class=nodes

  # The files of a volume, read-only, and what an image does
  kubectl dbg pvc/data-db-0 --class=volumes
  kubectl dbg --target-image=registry.example/shop/checkout:1.4 --class=volumes

  # With a class that requires approval
  kubectl dbg deploy/checkout --class=production --reason="INC-1234: requests hang"

  # Nobody responds, and the class allows emergencies: start before the approval, to be reviewed afterwards
  kubectl dbg deploy/checkout --class=breakglass --emergency --reason="INC-1234: no checkout at all"`

// New is kubectl dbg, with all its commands.
func New(streams genericiooptions.IOStreams, version string) *cobra.Command {
	env := &environment{IOStreams: streams, config: genericclioptions.NewConfigFlags(true), now: time.Now}
	o := &openOptions{environment: env}
	root := &cobra.Command{
		Use:           "kubectl-dbg (POD | KIND/NAME | -l SELECTOR | -f FILE | --target-image IMAGE) [flags] [-- COMMAND [ARGUMENT…]]",
		Short:         "Debug pods, nodes, volumes and images for a limited time, on the record",
		Long:          long,
		Example:       examples,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl dbg"},
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && cmd.ArgsLenAtDash() < 0 && o.request.Selector == "" && o.request.TargetImage == "" && len(o.flags.files) == 0 {
				return cmd.Help()
			}
			return o.run(cmd, args)
		},
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	env.config.AddFlags(root.PersistentFlags())
	o.flags.bind(root.Flags(), &o.request)
	o.bind(root.Flags())
	o.output = addOutput(root, false)
	factory := cmdutil.NewFactory(cmdutil.NewMatchVersionFlags(env.config))
	root.AddCommand(
		newAttach(env), newExec(env, factory), newCp(env), newPortForward(env, factory), newLogs(env, factory),
		newList(env), newDescribe(env), newApprove(env), newDeny(env), newEmergency(env), newExtend(env), newEnd(env),
		newCanI(env), newClasses(env), newRender(env), newFromDebug(env), newAudit(env), newReplay(env), newArtifacts(env),
	)
	complete(root, env, factory)
	adviseAll(root)
	return root
}

// adviseAll has a command, and those below it, say what to type when they are not understood.
func adviseAll(root *cobra.Command) {
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; %s --help lists the flags", err, cmd.CommandPath())
	})
	for _, cmd := range root.Commands() {
		if understands := cmd.Args; understands != nil {
			cmd.Args = func(cmd *cobra.Command, args []string) error {
				if err := understands(cmd, args); err != nil {
					return fmt.Errorf("%w: %s %s", err, root.CommandPath(), cmd.Use)
				}
				return nil
			}
		}
		adviseAll(cmd)
	}
}

// exitError ends the process with a code of its own, with or without a word.
type exitError struct {
	code    int
	message string
}

func (e *exitError) Error() string { return e.message }

// ExitCode says what a process exits with for an error, and what it says before.
func ExitCode(err error) (code int, message string) {
	var exit *exitError
	switch {
	case err == nil:
		return 0, ""
	case errors.As(err, &exit):
		return exit.code, exit.message
	default:
		return story.ExitError, fmt.Sprintf("error: %v", err)
	}
}
