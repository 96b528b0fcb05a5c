package command

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/sessions"
	"debugsession.dev/operator/internal/dbgcli/story"
)

func newEnd(env *environment) *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:               "end [NAME]",
		Short:             "End a session now; its record is kept",
		Long:              "End a session now, and wait until everything it runs has stopped. Its record is kept. NAME defaults to your only open session in the namespace.",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: env.completeSessions,
		RunE: func(cmd *cobra.Command, args []string) error {
			conn, session, err := env.find(cmd.Context(), first(args))
			if err != nil {
				return err
			}
			if story.Ended(session) {
				fmt.Fprintln(env.Out, story.Epitaph(session))
				return nil
			}
			if err := endSession(cmd.Context(), conn, session); err != nil {
				return err
			}
			if wait == 0 {
				fmt.Fprintf(env.Out, "session %s is ending\n", session.Name)
				return nil
			}
			return env.awaitEnd(cmd.Context(), conn, session, wait)
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", time.Minute, "How long to wait for the session to end; 0 does not wait.")
	cmd.Flags().Lookup("wait").DefValue = "1m" // pflag would write 1m0s
	return cmd
}

func (e *environment) awaitEnd(ctx context.Context, conn *connection, session *v1alpha1.DebugSession, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	news, err := conn.Track(ctx, session).Until(ctx, func(news sessions.News) bool { return news.Gone || story.Ended(news.Session) })
	if err != nil {
		return fmt.Errorf("session %s has not ended after %s: %s; kubectl dbg describe %[1]s shows its status", session.Name, story.Duration(wait),
			cmp.Or(story.Message(news.Session), "the operator has not reported why"))
	}
	if news.Gone {
		fmt.Fprintf(e.Out, "session %s was deleted\n", session.Name)
		return nil
	}
	fmt.Fprintln(e.Out, story.Epitaph(news.Session))
	return nil
}
