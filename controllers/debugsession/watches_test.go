package debugsession

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
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

// changing is a cache whose sessions are others each time they are listed.
type changing struct {
	client.Client
	lists [][]v1alpha1.DebugSession
}

func (c *changing) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	if len(c.lists) == 0 {
		return errors.New("the cache is gone")
	}
	list.(*v1alpha1.DebugSessionList).Items = c.lists[0]
	c.lists = c.lists[1:]
	return nil
}

// What a session that only runs will ask for is known when an operator starts; the others ask when they are looked at.
func TestThePodsOfSessionsThatRunAreExpected(t *testing.T) {
	now := time.Now()
	session := func(name string, changes ...func(*v1alpha1.DebugSession)) v1alpha1.DebugSession {
		s := v1alpha1.DebugSession{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		s.Spec.Mode, s.Status.Phase = v1alpha1.ModeEphemeralContainer, v1alpha1.PhaseActive
		s.Status.Target = &v1alpha1.TargetStatus{PodName: "pod-of-" + name}
		s.Status.ExpiresAt = new(metav1.NewTime(now.Add(time.Hour)))
		for _, change := range changes {
			change(&s)
		}
		return s
	}
	inPhase := func(phase v1alpha1.Phase) func(*v1alpha1.DebugSession) {
		return func(s *v1alpha1.DebugSession) { s.Status.Phase = phase }
	}
	runs, gone, ended := session("runs"), session("gone"), session("ended")
	listed := []v1alpha1.DebugSession{
		runs, gone, ended,
		session("starts", inPhase(v1alpha1.PhaseStarting)),
		session("ends", inPhase(v1alpha1.PhaseEnding)),
		session("pending", inPhase(v1alpha1.PhasePending)),
		session("over", inPhase(v1alpha1.PhaseEnded)),
		session("expired", func(s *v1alpha1.DebugSession) { s.Status.ExpiresAt = new(metav1.NewTime(now)) }),
		session("told", func(s *v1alpha1.DebugSession) { s.Spec.End = true }),
		session("copy", func(s *v1alpha1.DebugSession) { s.Spec.Mode = v1alpha1.ModePodCopy }),
	}
	later := []v1alpha1.DebugSession{runs, session("ended", inPhase(v1alpha1.PhaseEnded))}
	pods, enqueuer := &unwatched{}, &Enqueuer{}
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[ctrl.Request]())
	defer queue.ShutDown()
	if err := enqueuer.source().Start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	r := &Reconciler{Sessions: &changing{lists: [][]v1alpha1.DebugSession{listed, later}}, Pods: pods, Enqueuer: enqueuer, Clock: clock.RealClock{}}
	if err := r.expectRunning(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := map[types.NamespacedName]types.NamespacedName{}
	for _, name := range []string{"runs", "gone", "ended"} {
		want[types.NamespacedName{Namespace: "shop", Name: name}] = types.NamespacedName{Namespace: "shop", Name: "pod-of-" + name}
	}
	if diff := cmp.Diff(want, pods.expected); diff != "" {
		t.Errorf("expected (-want +got):\n%s", diff)
	}
	woken := map[string]bool{}
	for range 2 {
		request, _ := queue.Get()
		woken[request.Name] = true
	}
	if len(pods.released) != 2 {
		t.Errorf("released %v", pods.released)
	}
	if !woken["gone"] || !woken["ended"] || queue.Len() > 0 {
		t.Errorf("woke %v and %d more, want those that do not run any more", woken, queue.Len())
	}
}

// Of what is not known nothing follows: what was seen of a pod that is released might come after what was before it.
func TestNobodyIsReleasedWhenTheCacheDoesNotAnswer(t *testing.T) {
	session := v1alpha1.DebugSession{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "runs"}}
	session.Spec.Mode = v1alpha1.ModeEphemeralContainer
	session.Status = v1alpha1.DebugSessionStatus{Phase: v1alpha1.PhaseActive, Target: &v1alpha1.TargetStatus{PodName: "pod"}}
	for _, lists := range [][][]v1alpha1.DebugSession{{}, {{session}}} {
		pods := &unwatched{}
		r := &Reconciler{Sessions: &changing{lists: lists}, Pods: pods, Enqueuer: &Enqueuer{}, Clock: clock.RealClock{}}
		if err := r.expectRunning(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(pods.expected) != len(lists) || len(pods.released) > 0 {
			t.Errorf("after %d answers: expected %v, released %v", len(lists), pods.expected, pods.released)
		}
	}
}

// What ends while its pod is held with those that only run does not wait for them.
func TestASessionThatEndsHurries(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		change func(*v1alpha1.DebugSession)
		hurry  bool
	}{
		"runs":    {func(*v1alpha1.DebugSession) {}, false},
		"told":    {func(s *v1alpha1.DebugSession) { s.Spec.End = true }, true},
		"deleted": {func(s *v1alpha1.DebugSession) { s.DeletionTimestamp = new(metav1.NewTime(now)) }, true},
		"expired": {func(s *v1alpha1.DebugSession) { s.Status.ExpiresAt = new(metav1.NewTime(now)) }, true},
		"revoked": {func(s *v1alpha1.DebugSession) { s.Status.Phase = v1alpha1.PhaseEnding }, true},
	} {
		session := &v1alpha1.DebugSession{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "a"}}
		session.Status.Phase, session.Status.ExpiresAt = v1alpha1.PhaseActive, new(metav1.NewTime(now.Add(time.Hour)))
		test.change(session)
		pods := &unwatched{}
		r := &Reconciler{Pods: pods, Clock: clock.RealClock{}}
		r.observeTarget(t.Context(), session, plan.ReadTarget{Name: "pod"})
		if got := len(pods.hurried) == 1; got != test.hurry {
			t.Errorf("%s: hurried %v", name, pods.hurried)
		}
	}
}
