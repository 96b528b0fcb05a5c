package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/request"
	"debugsession.dev/operator/internal/dbgcli/story"
	"debugsession.dev/operator/internal/dbgcli/terminal"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/plaintext"
)

func newCanI(env *environment) *cobra.Command {
	o := &openOptions{environment: env}
	cmd := &cobra.Command{
		Use:   "can-i (POD | KIND/NAME | -l SELECTOR) [flags]",
		Short: "Check whether a session would be allowed, without creating it",
		Long: `Ask the API server whether a session would be allowed, by which class and for whom, in a dry run with everything that admission would report. If you
may get the pod, it also shows what would happen to the session: what Pod Security or a quota would refuse, and whose approval it would wait for.
Takes the flags of kubectl dbg; with --as, checks for another user if you may impersonate them. Exits with 0 for yes and 1 for no.`,
		Example: "  kubectl dbg can-i deploy/checkout --profile=sysadmin\n  kubectl dbg can-i deploy/checkout --class=production --as=alice",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.canI(cmd, args) },
	}
	o.flags.bind(cmd.Flags(), &o.request)
	hide(cmd, "attach", "name")
	return cmd
}

func (o *openOptions) canI(cmd *cobra.Command, args []string) error {
	ctx := cmd.Context()
	if err := o.complete(cmd, args, terminal.New(o.IOStreams, true)); err != nil {
		return err
	}
	conn, session, err := o.prepare(ctx)
	if err != nil {
		return err
	}
	asked, err := conn.Sessions(session.Namespace).Create(ctx, session, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: fieldManager})
	switch {
	case refused(err):
		return o.no(err.Error())
	case err != nil:
		return err
	}
	outcome := conn.rehearsal.outcome()
	if strings.HasPrefix(outcome, v1alpha1.DryRunEnds) {
		return o.no(outcome)
	}
	fmt.Fprintf(o.Out, "yes: %s\n", plaintext.Text(o.granted(ctx, conn, asked)))
	if outcome != "" {
		fmt.Fprintln(o.Out, plaintext.Text(outcome))
	}
	return nil
}

func (o *openOptions) no(why string) error {
	fmt.Fprintf(o.Out, "no: %s\n", plaintext.Text(why))
	return &exitError{story.ExitError, ""}
}

// granted is what one would get, as far as one may know.
func (o *openOptions) granted(ctx context.Context, conn *connection, session *v1alpha1.DebugSession) string {
	class, err := conn.Classes().Get(ctx, session.Spec.ClassName, metav1.GetOptions{})
	if err != nil {
		return "by class " + session.Spec.ClassName
	}
	return story.Granted(class, session)
}

// prepare connects, and makes the session that the options ask for.
func (o *openOptions) prepare(ctx context.Context) (*connection, *v1alpha1.DebugSession, error) {
	conn, err := o.connect()
	if err != nil {
		return nil, nil, err
	}
	me, err := conn.Me(ctx)
	if err != nil {
		return nil, nil, err
	}
	o.request.Namespace = conn.namespace
	lookAtContainers(ctx, conn, &o.request)
	session, err := o.request.Session(o.kindOf, me.Username, o.now())
	if err != nil {
		return nil, nil, err
	}
	if o.flags.attach {
		request.Gate(session)
	}
	return conn, session, nil
}

// lookAtContainers finds out which containers the target has, where that decides and where one may know.
func lookAtContainers(ctx context.Context, conn *connection, options *request.Options) {
	name := options.NeedsContainers()
	if name == "" {
		return
	}
	pod, err := conn.Kubernetes.CoreV1().Pods(options.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return
	}
	options.Containers = debugpod.ContainerNames(pod)
}
