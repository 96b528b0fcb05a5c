package command

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/sessions"
	"debugsession.dev/operator/internal/dbgcli/story"
)

func newExtend(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "extend [NAME] +DURATION",
		Short: "Extend a session: +30m",
		Long: `Extend a session, up to what its class allows. If approval was required, an extension beyond the approved time needs another approval.
NAME defaults to your only open session in the namespace.`,
		Example:           "  kubectl dbg extend +30m",
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: env.completeSessions,
		RunE: func(cmd *cobra.Command, args []string) error {
			by, err := parseExtension(args[len(args)-1])
			if err != nil {
				return err
			}
			conn, session, err := env.find(cmd.Context(), first(args[:len(args)-1]))
			if err != nil {
				return err
			}
			return env.extend(cmd.Context(), conn, session, by)
		},
	}
}

func parseExtension(text string) (time.Duration, error) {
	by, err := time.ParseDuration(strings.TrimPrefix(text, "+"))
	if err != nil || by <= 0 || !strings.HasPrefix(text, "+") {
		return 0, fmt.Errorf("%q is not a valid extension: write +30m or +1h", text)
	}
	return by, nil
}

func (e *environment) extend(ctx context.Context, conn *connection, session *v1alpha1.DebugSession, by time.Duration) error {
	if story.Over(session) {
		return fmt.Errorf("%s; an ended session cannot be extended: kubectl dbg TARGET opens another", story.Epitaph(session))
	}
	ttl := session.TTL()
	if ttl == 0 {
		return fmt.Errorf("session %s has no ttl yet: the operator has not checked its class; try again in a moment", session.Name)
	}
	patch := fmt.Appendf(nil, `{"metadata":{"uid":%q},"spec":{"ttl":%q}}`, session.UID, v1alpha1.FormatDuration(ttl+by))
	patched, err := conn.Sessions(session.Namespace).Patch(ctx, session.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager})
	if err != nil {
		return err
	}
	if session.Spec.Target.Times() > 0 {
		fmt.Fprintf(e.Out, "each debugger of session %s lasts %s from its own start, as far as that is approved\n", session.Name, v1alpha1.FormatDuration(ttl+by))
		return nil
	}
	before := session.Status.ExpiresAt
	if before == nil {
		fmt.Fprintf(e.Out, "session %s will last %s from its start\n", session.Name, v1alpha1.FormatDuration(ttl+by))
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	news, err := conn.Track(waiting, patched).Until(waiting, func(news sessions.News) bool {
		at := news.Session.Status.ExpiresAt
		return news.Gone || at != nil && at.After(before.Time)
	})
	if err != nil || news.Gone {
		return fmt.Errorf("session %s still ends at %s: %s", session.Name, before.Local().Format(time.TimeOnly),
			cmp.Or(news.Session.Status.WaitingFor, "a longer ttl takes effect once it has reached the debugger and, if approval is required, was approved"))
	}
	at := news.Session.Status.ExpiresAt
	fmt.Fprintf(e.Out, "session %s ends at %s, in %s\n", session.Name, at.Local().Format(time.TimeOnly), story.Duration(at.Sub(e.now())))
	return nil
}
