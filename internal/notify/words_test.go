package notify

import (
	"testing"

	"debugsession.dev/operator/api/v1alpha1"
)

func TestPlaceOfEachTarget(t *testing.T) {
	for want, session := range map[string]Session{
		"a target that was not found":                            {Mode: v1alpha1.ModePodCopy},
		"pod web (container app)":                                {Mode: v1alpha1.ModeEphemeralContainer, Target: "web", Container: "app"},
		"the first pod of deployment/web that crashes":           {Mode: v1alpha1.ModeEphemeralContainer, Target: "deployment/web", When: "crashes"},
		"a copy of the first pod of deployment/web that crashes": {Mode: v1alpha1.ModePodCopy, Target: "deployment/web", When: "crashes"},
		"the pods of deployment/web (1 of 3), each time that one crashes, up to 3 times": {Mode: v1alpha1.ModeEphemeralContainer, Target: "deployment/web (1 of 3)", When: "crashes",
			Times: 3, Trigger: "web-1 crashed"},
		"copies of the pods of deployment/web, each time that one crashes, up to 3 times": {Mode: v1alpha1.ModePodCopy, Target: "deployment/web", When: "crashes", Times: 3},
		"pod web-1":         {Mode: v1alpha1.ModeEphemeralContainer, Target: "web-1", When: "crashes", Trigger: "web-1 crashed"},
		"a copy of pod web": {Mode: v1alpha1.ModePodCopy, Target: "web", Container: "app"},
		"a copy of the pod template of deployment/web": {Mode: v1alpha1.ModePodCopy, Target: "deployment/web"},
		"node/node-1": {Mode: v1alpha1.ModeNode, Target: "node/node-1"},
	} {
		if got := place(&session); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
