package command

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/request"
	"debugsession.dev/operator/internal/dbgcli/story"
	"debugsession.dev/operator/internal/dbgcli/terminal"
)

// openOptions are those of kubectl dbg TARGET.
type openOptions struct {
	*environment
	flags   requestFlags
	request request.Options
	visit   visitOptions
	output  *output
}

func (o *openOptions) bind(flags *pflag.FlagSet) {
	flags.BoolVar(&o.visit.keep, "keep", false, "Keep the session when you leave the debugger: it ends when its time is up. kubectl dbg attach returns to it.")
	flags.BoolVarP(&o.visit.quiet, "quiet", "q", false, "Print only what the debugger writes.")
	flags.StringVar(&o.visit.detachKeys, "detach-keys", defaultDetachKeys, "Keys that detach from the debugger without ending it.")
}

func (o *openOptions) run(cmd *cobra.Command, args []string) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	tty := terminal.New(o.IOStreams, o.visit.quiet)
	if o.flags.when != "" {
		o.flags.attach = false // it may start in a night, or never
	}
	if o.request.All != 0 {
		o.flags.attach = false // there are many to attach to
	}
	if o.output.format != "" && o.flags.attach {
		return errors.New("-o cannot be used when attaching: add --attach=false")
	}
	if err := o.output.check(); err != nil {
		return err
	}
	if err := o.complete(cmd, args, tty); err != nil {
		return err
	}
	conn, session, err := o.prepare(ctx)
	if err != nil {
		return err
	}
	err = o.open(ctx, conn, tty, session, o.request.Name == "")
	if !errors.Is(err, errCopyInstead) {
		return err
	}
	o.request.Copy, o.request.TargetContainer = true, ""
	if conn, session, err = o.prepare(ctx); err != nil {
		return err
	}
	return o.open(ctx, conn, tty, session, true) // the first one has the name
}

// open asks for the session, and visits it. If another has its name, it may be renamed.
func (o *openOptions) open(ctx context.Context, conn *connection, tty *terminal.Terminal, session *v1alpha1.DebugSession, rename bool) error {
	created, err := create(ctx, conn, session, rename)
	if err != nil {
		return err
	}
	if !o.flags.attach {
		if o.output.objects() {
			return o.output.print(o.Out, "DebugSession", created)
		}
		fmt.Fprintf(o.Out, "debugsession.debugsession.dev/%s created\n", created.Name)
		if next := story.NextOfCreated(created); next != "" && !o.visit.quiet {
			fmt.Fprintln(o.ErrOut, next)
		}
		return nil
	}
	tty.Progress.Show("session "+created.Name+" created", "")
	v := &visit{visitOptions: o.visit, environment: o.environment, conn: conn, tty: tty, stdin: o.request.Stdin, ours: true}
	v.offer = session.Spec.Mode == v1alpha1.ModeEphemeralContainer
	return v.run(ctx, created)
}

// complete takes the target and the command apart, and gives a person a terminal who did not ask for anything else.
func (o *openOptions) complete(cmd *cobra.Command, args []string, tty *terminal.Terminal) error {
	targets := args
	if dash := cmd.ArgsLenAtDash(); dash >= 0 {
		targets, o.request.Command = args[:dash], args[dash:]
	}
	if len(targets) > 1 {
		return severalTargets(targets)
	}
	if len(targets) == 1 {
		o.request.Target = targets[0]
	}
	if err := o.readTarget(cmd); err != nil {
		return err
	}
	if err := o.flags.finish(&o.request, o.now()); err != nil {
		return err
	}
	if unused := o.request.Unused(); unused != "" && !o.visit.quiet {
		fmt.Fprintln(o.ErrOut, unused)
	}
	if len(o.request.Command) == 0 && !cmd.Flags().Changed("stdin") && !o.request.ChangesOnly() {
		o.request.Stdin = true
		o.request.TTY = o.request.TTY || !cmd.Flags().Changed("tty") && tty.Interactive()
	}
	return nil
}

// refused reports whether the API server, or what it asks, refused an object as it is written or for who asks.
func refused(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)
}

// severalTargets tells what was meant by more than one word before the command: a kind and a name apart, or a command.
func severalTargets(words []string) error {
	if len(words) == 2 && request.IsKind(words[0]) {
		return fmt.Errorf("write the target as KIND/NAME: kubectl dbg %s/%s", words[0], words[1])
	}
	return fmt.Errorf("only one target is allowed, and a command goes after --: kubectl dbg %s -- %s; kubectl dbg --help lists the subcommands",
		words[0], strings.Join(words[1:], " "))
}

// create asks for the session. A name that was made up here is made up again if somebody has it.
func create(ctx context.Context, conn *connection, session *v1alpha1.DebugSession, rename bool) (*v1alpha1.DebugSession, error) {
	name := session.Name
	for try := 2; ; try++ {
		created, err := conn.CreateSession(ctx, session, metav1.CreateOptions{FieldManager: fieldManager})
		switch {
		case err == nil:
			return created, nil
		case apierrors.IsAlreadyExists(err) && rename && try < 10:
			session.Name = fmt.Sprintf("%s-%d", name, try)
		case refused(err):
			return nil, &exitError{story.ExitDenied, fmt.Sprintf("error: %v\nkubectl dbg classes -n %s lists what you may do there; --class selects a class", err, session.Namespace)}
		case apierrors.IsNotFound(err):
			return nil, fmt.Errorf("%w; is the operator installed? kubectl get crd debugsessions.debugsession.dev", err)
		default:
			return nil, err
		}
	}
}

const (
	// fieldManager is who the API server is told that this is.
	fieldManager = "kubectl-dbg"

	// defaultDetachKeys are those of kubectl attach.
	defaultDetachKeys = "ctrl-p,ctrl-q"
)
