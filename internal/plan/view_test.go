package plan_test

import (
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
)

// view is what there is to be seen, when Decide asks. A question that it has no answer to fails the test: that is how tests
// show that nothing more is asked than must be known.
type view struct {
	session *v1alpha1.DebugSession
	now     time.Time

	// What watches and caches say.
	candidates *plan.Observed[[]corev1.Pod]
	target     *plan.Observed[*corev1.Pod]
	copied     *plan.Observed[*corev1.Pod]

	// What the API server says. Left out: the same.
	freshTarget *plan.Observed[*corev1.Pod]
	freshCopy   *plan.Observed[*corev1.Pod]

	// staleOnly: what the watch says must do.
	staleOnly bool
}

// decide answers questions until there is a plan, as the controller does.
func (v view) decide(t tester) (plan.Snapshot, plan.Plan) {
	t.Helper()
	s := plan.Snapshot{Session: v.session, Now: v.now}
	for range 10 {
		p := plan.Decide(s)
		if p.Ask == nil {
			return s, p
		}
		if len(p.Actions) > 0 || len(p.Events) > 0 || !p.WakeAt.IsZero() || p.Retry != nil {
			t.Errorf("asks %T, and plans something too: %+v", p.Ask, p)
		}
		v.answer(t, &s, p.Ask)
	}
	t.Fatalf("asks without end; last: %+v", plan.Decide(s).Ask)
	return s, plan.Plan{}
}

func (v view) answer(t tester, s *plan.Snapshot, question plan.Question) {
	t.Helper()
	switch q := question.(type) {
	case plan.ListCandidates:
		s.Candidates = known(t, q, v.candidates)
	case plan.ReadTarget:
		s.Target = known(t, q, v.target)
		if q.Fresh {
			if v.staleOnly {
				t.Fatalf("asks %T%+v, and the watch should be believed", q, q)
			}
			if v.freshTarget != nil {
				s.Target = *v.freshTarget
			}
			s.Target = s.Target.Fresh()
		}
	case plan.ReadMade:
		s.Made = known(t, q, v.copied)
		if q.Fresh {
			if v.freshCopy != nil {
				s.Made = *v.freshCopy
			}
			s.Made = s.Made.Fresh()
		}
	default:
		t.Fatalf("asks %T%+v, which these tests do not know", q, q)
	}
}

func known[T any](t tester, question plan.Question, answer *plan.Observed[T]) plan.Observed[T] {
	t.Helper()
	if answer == nil {
		t.Fatalf("asks %T%+v, and should have no need to know", question, question)
	}
	return *answer
}

type look func(*view)

// about is a view of the session at now.
func about(session *v1alpha1.DebugSession, looks ...look) view {
	v := view{session: session, now: now}
	for _, l := range looks {
		l(&v)
	}
	return v
}

func at(when time.Time) look { return func(v *view) { v.now = when } }

func target(pod *corev1.Pod) look                 { return targetIs(plan.Found(pod)) }
func copied(pod *corev1.Pod) look                 { return copyIs(plan.Found(pod)) }
func candidates(pods ...corev1.Pod) look          { return candidatesAre(plan.Found(pods)) }
func freshTarget(pod *corev1.Pod) look            { return func(v *view) { v.freshTarget = new(plan.Found(pod)) } }
func freshCopy(o plan.Observed[*corev1.Pod]) look { return func(v *view) { v.freshCopy = &o } }

func targetIs(o plan.Observed[*corev1.Pod]) look       { return func(v *view) { v.target = &o } }
func copyIs(o plan.Observed[*corev1.Pod]) look         { return func(v *view) { v.copied = &o } }
func candidatesAre(o plan.Observed[[]corev1.Pod]) look { return func(v *view) { v.candidates = &o } }

var errOffline = errors.New("etcdserver: request timed out")

func absent() plan.Observed[*corev1.Pod]  { return plan.Absent[*corev1.Pod]() }
func unknown() plan.Observed[*corev1.Pod] { return plan.Unknown[*corev1.Pod](errOffline) }
func awaited() plan.Observed[*corev1.Pod] { return plan.Awaited[*corev1.Pod]() }
