package helmhook

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"debugsession.dev/operator/api/v1alpha1"
)

// mostNamed is how many sessions an answer names.
const mostNamed = 10

// checkUninstall fails while there are sessions of which the operator still has something to take away: without it their debuggers end
// at their deadline, and what they gave access to stays.
func (h *hook) checkUninstall(ctx context.Context) error {
	sessions := &v1alpha1.DebugSessionList{}
	gone := false
	err := h.until(ctx, "sessions", func(ctx context.Context) error {
		err := h.client.List(ctx, sessions)
		gone = meta.IsNoMatchError(err)
		if gone {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("listing the sessions: %w", err)
	}
	open := held(sessions)
	if gone || len(open) == 0 {
		_, _ = fmt.Fprintln(h.out, "no session needs cleanup: the operator can be uninstalled")
		return nil
	}
	named := open
	if len(named) > mostNamed {
		named = named[:mostNamed]
	}
	commands := make([]string, 0, len(named))
	for _, session := range named {
		commands = append(commands, fmt.Sprintf(`  kubectl -n %s patch debugsession %s --type=merge -p '{"spec":{"end":true}}'`, session.Namespace, session.Name))
	}
	return fmt.Errorf("sessions that have not ended: %d. Only the operator removes their debuggers and the access to them. "+
		"End them, wait until they have ended, then uninstall again:\n%s\n"+
		"To uninstall anyway: helm uninstall --no-hooks. Debuggers then end at their deadlines, but the access to them remains",
		len(open), strings.Join(commands, "\n"))
}

// held are the sessions that have the operator's finalizer.
func held(sessions *v1alpha1.DebugSessionList) []*v1alpha1.DebugSession {
	var open []*v1alpha1.DebugSession
	for i := range sessions.Items {
		for _, finalizer := range sessions.Items[i].Finalizers {
			if strings.HasPrefix(finalizer, v1alpha1.GroupVersion.Group+"/") {
				open = append(open, &sessions.Items[i])
				break
			}
		}
	}
	return open
}
