package command

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/manifest"
	"debugsession.dev/operator/internal/dbgcli/request"
	"debugsession.dev/operator/internal/dbgcli/story"
	"debugsession.dev/operator/internal/dbgcli/terminal"
)

type renderOptions struct {
	openOptions
	approval string
	message  string
}

func newRender(env *environment) *cobra.Command {
	o := &renderOptions{openOptions: openOptions{environment: env}}
	cmd := &cobra.Command{
		Use:   "render (POD | KIND/NAME | -l SELECTOR | -f FILE) [flags] [-- COMMAND…] | render --approval SESSION",
		Short: "Print the manifest of a session, or of an approval, for Git",
		Long: `Print the manifest of the session that kubectl dbg would create, with a notAfter: after that time it starts nothing, however often it is
applied. The default is one day from now. With --approval, print the manifest of an approval for a session that is waiting for it.`,
		Example: "  kubectl dbg render deploy/checkout --reason=INC-1234 --not-after=4h > session.yaml\n  kubectl dbg render --approval alice-checkout-261127-114005 > approval.yaml",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	o.flags.bind(cmd.Flags(), &o.request)
	hide(cmd, "attach")
	cmd.Flags().StringVar(&o.approval, "approval", "", "Print an approval for this session, which is waiting for it.")
	cmd.Flags().StringVarP(&o.message, "message", "m", "", "With --approval: the reason for it.")
	_ = cmd.RegisterFlagCompletionFunc("approval", env.completeSessions)
	o.output = addOutput(cmd, false)
	return cmd
}

func (o *renderOptions) run(cmd *cobra.Command, args []string) error {
	if o.approval != "" {
		return o.renderApproval(cmd.Context())
	}
	o.flags.attach = false // Git waits for nobody who attaches
	if err := o.complete(cmd, args, terminal.New(o.IOStreams, true)); err != nil {
		return err
	}
	o.request.TTY = o.request.TTY || o.request.Stdin && !cmd.Flags().Changed("stdin") && !cmd.Flags().Changed("tty")
	if o.request.NotAfter == nil {
		tomorrow := o.now().Add(24 * time.Hour)
		o.request.NotAfter = &tomorrow
	}
	_, session, err := o.prepare(cmd.Context())
	if err != nil {
		return err
	}
	return printManifest(o.Out, o.output, session)
}

func (o *renderOptions) renderApproval(ctx context.Context) error {
	conn, session, err := o.find(ctx, o.approval)
	if err != nil {
		return err
	}
	if session.Status.Request == nil {
		return fmt.Errorf("session %s is not asking for approval: %s", session.Name, cmp.Or(story.Message(session), "the operator has not checked its class yet"))
	}
	me, err := conn.Me(ctx)
	if err != nil {
		return err
	}
	approval := request.Approval(session, v1alpha1.DecisionApprove, o.message, me.Username)
	return printManifest(o.Out, o.output, approval)
}

// printManifest prints an object without what only a cluster writes.
func printManifest(out io.Writer, o *output, object runtime.Object) error {
	if o.format == "" {
		o.format = "yaml"
	}
	printer, err := o.printer()
	if err != nil {
		return err
	}
	fields, err := manifest.New(object)
	if err != nil {
		return err
	}
	return printer.PrintObj(&unstructured.Unstructured{Object: fields}, out)
}
