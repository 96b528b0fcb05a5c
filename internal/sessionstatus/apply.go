// Package sessionstatus writes a part of a session's status that is not the reconciler's.
package sessionstatus

import (
	"context"
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// Apply has a session's status say that, and nothing else of what the owner has said before. It is applied, so that what others say is
// not touched, and no write of theirs makes it fail. It is refused, as a conflict, if the session is another of its name by now.
func Apply(ctx context.Context, c client.Client, session *v1alpha1.DebugSession, owner client.FieldOwner, status map[string]any) error {
	text, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "DebugSession",
		"metadata": map[string]any{"namespace": session.Namespace, "name": session.Name, "uid": session.UID},
		"status":   status,
	})
	if err != nil {
		return err
	}
	at := &v1alpha1.DebugSession{ObjectMeta: metav1.ObjectMeta{Namespace: session.Namespace, Name: session.Name}}
	return c.Status().Patch(ctx, at, client.RawPatch(types.ApplyPatchType, text), owner, client.ForceOwnership)
}
