package command

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/story"
	"debugsession.dev/operator/internal/plaintext"
)

func newDescribe(env *environment) *cobra.Command {
	var out *output
	cmd := &cobra.Command{
		Use:               "describe [NAME]",
		Short:             "Show a session's history",
		Long:              "Show a session's history: who asked for what, who approved it, when it ran and how it ended. NAME defaults to your only open session in the namespace.",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: env.completeSessions,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, session, err := env.find(cmd.Context(), first(args))
			if err != nil {
				return err
			}
			if out.objects() {
				return out.print(env.Out, "DebugSession", session)
			}
			env.describe(session)
			return nil
		},
	}
	out = addOutput(cmd, false)
	return cmd
}

func (e *environment) describe(session *v1alpha1.DebugSession) {
	bold := paint(e.Out, "1")
	fmt.Fprintf(e.Out, "%s  %s/%s\n\n", bold(cmp.Or(string(session.Status.Phase), "Pending")), session.Namespace, session.Name)
	var day string
	for _, moment := range story.Tell(session) {
		at := moment.At.Local()
		if today := at.Format(time.DateOnly); today != day {
			day = today
			fmt.Fprintln(e.Out, day)
		}
		fmt.Fprintf(e.Out, "  %s  %s\n", at.Format(time.TimeOnly), moment.Text)
	}
	e.describeMembers(session)
	if !story.Over(session) {
		if text, timing := story.Progress(session, e.now()); text != "" {
			fmt.Fprintf(e.Out, "\nNow: %s%s\n", text, timing)
		}
	}
	if next := story.Next(session); next != "" {
		fmt.Fprintf(e.Out, "Next: %s\n", next)
	}
	if help := story.Help(session); help != "" {
		fmt.Fprintf(e.Out, "Help: %s\n", help)
	}
	if at := session.Status.Debugger; at != nil && at.Output != "" {
		fmt.Fprintf(e.Out, "\nOutput:\n%s\n", plaintext.Text(at.Output))
	}
}

func (e *environment) describeMembers(session *v1alpha1.DebugSession) {
	members := story.Members(session)
	if len(members) == 0 {
		return
	}
	fmt.Fprintln(e.Out, "\nMembers:")
	rows := tabwriter.NewWriter(e.Out, 0, 0, 2, ' ', 0)
	for _, line := range members {
		fmt.Fprintf(rows, "  %s\n", strings.TrimRight(strings.Join(line, "\t"), "\t"))
	}
	_ = rows.Flush()
}
