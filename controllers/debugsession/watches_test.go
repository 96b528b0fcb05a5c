package debugsession

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// listing is a cache of sessions.
type listing struct {
	client.Client
	sessions []v1alpha1.DebugSession
}

func (l listing) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	list.(*v1alpha1.DebugSessionList).Items = l.sessions
	return nil
}

// An edit of a class is of no matter to sessions that carry what it granted them, nor to those of other classes.
func TestAClassWakesTheSessionsThatAreNotSettled(t *testing.T) {
	session := func(name, class string, phase v1alpha1.Phase, started bool) v1alpha1.DebugSession {
		s := v1alpha1.DebugSession{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		s.Spec.ClassName, s.Status.Phase = class, phase
		if started {
			s.Status.StartedAt = &metav1.Time{Time: time.Unix(0, 0)}
		}
		return s
	}
	r := &Reconciler{Client: listing{sessions: []v1alpha1.DebugSession{
		session("new", "standard", "", false),
		session("pending", "standard", v1alpha1.PhasePending, false),
		session("asking", "standard", v1alpha1.PhaseAwaitingApproval, false),
		session("starting", "standard", v1alpha1.PhaseStarting, true),
		session("active", "standard", v1alpha1.PhaseActive, true),
		session("ending", "standard", v1alpha1.PhaseEnding, true),
		session("ended", "standard", v1alpha1.PhaseEnded, true),
		session("rejected", "standard", v1alpha1.PhaseEnded, false),
		session("other", "production", v1alpha1.PhasePending, false),
	}}}
	woken := map[string]bool{}
	for _, request := range r.sessionsNotStarted(t.Context(), &v1alpha1.DebugClass{ObjectMeta: metav1.ObjectMeta{Name: "standard"}}) {
		woken[request.Name] = true
	}
	if len(woken) != 3 || !woken["new"] || !woken["pending"] || !woken["asking"] {
		t.Errorf("woke %v", woken)
	}
}
