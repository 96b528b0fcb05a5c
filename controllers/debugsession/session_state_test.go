package debugsession

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
)

func TestNewest(t *testing.T) {
	session := func(version string, phase v1alpha1.Phase) *v1alpha1.DebugSession {
		return &v1alpha1.DebugSession{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "hang", UID: "uid-1", ResourceVersion: version},
			Status:     v1alpha1.DebugSessionStatus{Phase: phase},
		}
	}
	written := session("20", v1alpha1.PhaseActive)
	replaced := session("10", "")
	replaced.UID = "uid-2"
	for name, tc := range map[string]struct {
		cached *v1alpha1.DebugSession
		want   v1alpha1.Phase
	}{
		"the cache is behind":           {session("10", v1alpha1.PhaseStarting), v1alpha1.PhaseActive},
		"the cache has caught up":       {session("20", v1alpha1.PhaseActive), v1alpha1.PhaseActive},
		"the cache is ahead":            {session("100", v1alpha1.PhaseEnding), v1alpha1.PhaseEnding},
		"the cache has another session": {replaced, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var w sessionStates
			w.wrote(written)
			if got := w.newest(tc.cached); got.Status.Phase != tc.want || got.UID != tc.cached.UID {
				t.Errorf("newest is %s of %s, want %s", got.Status.Phase, got.UID, tc.want)
			}
		})
	}
	t.Run("forgotten", func(t *testing.T) {
		var w sessionStates
		w.wrote(written)
		w.forget(types.NamespacedName{Namespace: "shop", Name: "hang"})
		if got := w.newest(session("10", v1alpha1.PhaseStarting)); got.Status.Phase != v1alpha1.PhaseStarting {
			t.Errorf("newest is %s", got.Status.Phase)
		}
	})
	t.Run("what is remembered is a copy", func(t *testing.T) {
		var w sessionStates
		mine := written.DeepCopy()
		w.wrote(mine)
		mine.Status.Phase = "scribbled"
		w.newest(session("10", "")).Status.Phase = "scribbled"
		if got := w.newest(session("10", "")); got.Status.Phase != v1alpha1.PhaseActive {
			t.Errorf("newest is %s", got.Status.Phase)
		}
	})
}
