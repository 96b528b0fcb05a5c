package helmhook

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

func TestHeld(t *testing.T) {
	session := func(name string, finalizers ...string) v1alpha1.DebugSession {
		return v1alpha1.DebugSession{ObjectMeta: metav1.ObjectMeta{Name: name, Finalizers: finalizers}}
	}
	sessions := &v1alpha1.DebugSessionList{Items: []v1alpha1.DebugSession{
		session("ended"), session("theirs", "example.com/keep"), session("runs", "example.com/keep", v1alpha1.Finalizer),
		session("owes something else", "debugsession.dev/something"),
	}}
	open := held(sessions)
	if len(open) != 2 || open[0].Name != "runs" || open[1].Name != "owes something else" {
		t.Errorf("held: %v", open)
	}
}
