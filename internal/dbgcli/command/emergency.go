package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/story"
)

func newEmergency(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "emergency [NAME]",
		Short: "Start your session that waits before its approval",
		Long: `Start your session that waits for an approval, if its class lets an emergency start before that and you may. It cannot be taken back: it
is announced to everybody who is told of sessions, and must be reviewed. Without a name it is the one session of yours in the namespace that has
not ended.`,
		Example:           "  kubectl dbg emergency alice-checkout-261127-031405 && kubectl dbg attach alice-checkout-261127-031405",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: env.completeSessions,
		RunE: func(cmd *cobra.Command, args []string) error {
			conn, session, err := env.find(cmd.Context(), first(args))
			if err != nil {
				return err
			}
			return env.declareEmergency(cmd.Context(), conn, session)
		},
	}
}

func (e *environment) declareEmergency(ctx context.Context, conn *connection, session *v1alpha1.DebugSession) error {
	if session.Status.StartedAt != nil || story.Over(session) {
		return fmt.Errorf("session %s does not wait for approval: it is %s", session.Name, session.Status.Phase)
	}
	patch := fmt.Appendf(nil, `{"metadata":{"uid":%q},"spec":{"emergency":true}}`, session.UID)
	_, err := conn.Sessions(session.Namespace).Patch(ctx, session.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager})
	if refused(err) {
		return &exitError{story.ExitDenied, "error: " + err.Error()}
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(e.Out, "session %s starts before its approval, and has to be reviewed; kubectl dbg attach %s\n", session.Name, session.Name)
	return nil
}
