package controllers

import (
	"context"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// What has taken the place of the one that was meant is another's.
func TestWhatIsDeletedIsTheOneThatWasMeant(t *testing.T) {
	const uid types.UID = "5e551040-0000-4000-8000-00000000000d"
	pod := types.NamespacedName{Namespace: "shop", Name: "web"}
	for name, action := range map[string]plan.Action{
		"a copy":           plan.DeletePod{Pod: pod, UID: uid},
		"an original":      plan.ReplaceOriginal{Pod: pod, UID: uid},
		"a network policy": plan.DeleteNetworkPolicy{Name: "isolated", UID: uid},
		"a record":         plan.DeleteSession{UID: uid},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			server := interceptor.NewClient(nil, interceptor.Funcs{
				Delete: func(_ context.Context, _ client.WithWatch, object client.Object, options ...client.DeleteOption) error {
					asked++
					how := client.DeleteOptions{}
					how.ApplyOptions(options)
					if how.Preconditions == nil || how.Preconditions.UID == nil || *how.Preconditions.UID != uid {
						t.Errorf("%T is deleted whatever its UID: %+v", object, how.Preconditions)
					}
					return nil
				},
			})
			r := &DebugSessionReconciler{Client: server}
			if result := r.perform(t.Context(), fixture.Session(), action); result.Err != nil || asked != 1 {
				t.Errorf("asked %d times: %v", asked, result.Err)
			}
		})
	}
}
