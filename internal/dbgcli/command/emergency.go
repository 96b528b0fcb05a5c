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
		Short: "Start your session before its approval",
		Long: `Start your session before its approval, if its class allows emergencies and you may declare one. This cannot be undone: the session is
announced to everyone who is notified of sessions, and must be reviewed. NAME defaults to your only open session in the namespace.`,
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
		return fmt.Errorf("session %s is not waiting for approval: it is %s", session.Name, session.Status.Phase)
	}
	patch := fmt.Appendf(nil, `{"metadata":{"uid":%q},"spec":{"emergency":true}}`, session.UID)
	_, err := conn.Sessions(session.Namespace).Patch(ctx, session.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager})
	if refused(err) {
		return &exitError{story.ExitDenied, "error: " + err.Error()}
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(e.Out, "session %s starts before its approval and must be reviewed; to attach: kubectl dbg attach %s\n", session.Name, session.Name)
	return nil
}
