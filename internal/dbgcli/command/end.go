package command

import (
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
		Short:             "End a session now; its record stays",
		Long:              "End a session now, and wait until nothing of it runs. Its record stays. Without a name it is the one session of yours in the namespace that has not ended.",
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
				fmt.Fprintf(env.Out, "session %s ends\n", session.Name)
				return nil
			}
			return env.awaitEnd(cmd.Context(), conn, session, wait)
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", time.Minute, "How long to wait until the session has ended; 0 does not wait.")
	cmd.Flags().Lookup("wait").DefValue = "1m" // pflag would write 1m0s
	return cmd
}

func (e *environment) awaitEnd(ctx context.Context, conn *connection, session *v1alpha1.DebugSession, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	news, err := conn.Track(ctx, session).Until(ctx, func(news sessions.News) bool { return news.Gone || story.Ended(news.Session) })
	if err != nil {
		return fmt.Errorf("session %s has not ended after %s: %s; kubectl dbg describe %[1]s shows how it stands", session.Name, story.Duration(wait),
			orElse(story.Message(news.Session), "the operator does not say why"))
	}
	if news.Gone {
		fmt.Fprintf(e.Out, "session %s is gone\n", session.Name)
		return nil
	}
	fmt.Fprintln(e.Out, story.Epitaph(news.Session))
	return nil
}
