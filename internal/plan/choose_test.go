package plan_test

import (
	"math/rand"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

func TestChoose(t *testing.T) {
	const hour = time.Hour
	pod := func(name string, age time.Duration, changes ...fixture.PodOption) corev1.Pod {
		return *fixture.Pod(append([]fixture.PodOption{fixture.Named(name), fixture.Aged(age)}, changes...)...)
	}
	mixed := []corev1.Pod{
		pod("oldest-ready", 4*hour), pod("newest-ready", 1*hour),
		pod("oldest-sick", 3*hour, fixture.NotReady), pod("newest-sick", 2*hour, fixture.NotReady),
	}
	healthy := []corev1.Pod{pod("a", 2*hour), pod("b", 1*hour), pod("c", 3*hour)}
	twins := []corev1.Pod{pod("b", hour), pod("c", hour), pod("a", hour)}
	unfit := []corev1.Pod{
		pod("unplaced", 1*hour, fixture.Unplaced), pod("terminating", 1*hour, fixture.Terminating),
		pod("failed", 1*hour, fixture.Finished(corev1.PodFailed, "", "")),
		pod("done", 1*hour, fixture.Finished(corev1.PodSucceeded, "", "")),
	}

	for name, tc := range map[string]struct {
		pick v1alpha1.Pick
		copy bool
		pods []corev1.Pod
		want string // "": none fits
		says string // why none does
	}{
		"sick before healthy, then newest": {pods: mixed, want: "newest-sick"},
		"newest, when all are healthy":     {pods: healthy, want: "b"},
		"by name, when of one age":         {pods: twins, want: "a"},
		"Ready":                            {pick: v1alpha1.PickReady, pods: mixed, want: "newest-ready"},
		"Unhealthy":                        {pick: v1alpha1.PickUnhealthy, pods: mixed, want: "newest-sick"},
		"Newest":                           {pick: v1alpha1.PickNewest, pods: mixed, want: "newest-ready"},
		"Oldest":                           {pick: v1alpha1.PickOldest, pods: mixed, want: "oldest-ready"},
		"Oldest, by name":                  {pick: v1alpha1.PickOldest, pods: twins, want: "a"},
		"Unhealthy, and none is": {
			pick: v1alpha1.PickUnhealthy,
			pods: healthy,
			says: "each of the 3 pods of spec.target.selector is ready; remove spec.target.pick",
		},
		"Ready, and none is": {
			pick: v1alpha1.PickReady,
			pods: mixed[2:],
			says: "none of the 2 pods of spec.target.selector is ready; remove spec.target.pick",
		},
		"none lives":                     {pods: unfit, says: "none of the 4 pods of spec.target.selector can be joined"},
		"a copy of one that failed":      {copy: true, pods: unfit[2:3], want: "failed"},
		"one that lives, among the dead": {pods: append(unfit[:len(unfit):len(unfit)], healthy[2]), want: "c"},
		"one that has not finished": {
			pods: []corev1.Pod{pod("finished", hour, never(fixture.Exited(now, 0, "Completed", "")), fixture.NotReady),
				pod("runs", 2*hour)},
			want: "runs",
		},
		"no pods": {says: "no pod matches spec.target.selector (app=web)"},
	} {
		t.Run(name, func(t *testing.T) {
			session := fixture.Session(fixture.OfSelector(map[string]string{"app": "web"}), fixture.Pick(tc.pick))
			if tc.copy {
				fixture.AsCopy()(session)
			}
			pods := append([]corev1.Pod(nil), tc.pods...)
			for range 10 { // in whatever order they are listed
				rand.Shuffle(len(pods), func(i, j int) { pods[i], pods[j] = pods[j], pods[i] })
				p := pass(t, about(session, candidates(pods...)))
				if tc.want == "" {
					want{phase: v1alpha1.PhasePending, reason: "TargetNotFound", does: "AddFinalizer", says: tc.says,
						wakes: after(15 * time.Second), warns: "TargetNotFound"}.check(t, p)
					continue
				}
				want{phase: v1alpha1.PhasePending, reason: "TargetChosen", does: "AddFinalizer", says: tc.want}.check(t, p)
				if got := p.Status.Target; got == nil || got.PodName != tc.want || got.PodUID != "" || got.Choice == "" {
					t.Fatalf("chose %+v, want %s", got, tc.want)
				}
			}
		})
	}
}

// The choice is written down first; the pod is then looked at as one that was named, and its UID recorded.
func TestTheChosenIsDebugged(t *testing.T) {
	session := fixture.Session(fixture.OfWorkload("Deployment", "web"))
	session.Finalizers = []string{v1alpha1.Finalizer}
	p := pass(t, about(session, candidates(*fixture.Pod())))
	session = written(session, p)

	t.Run("", func(t *testing.T) {
		p := pass(t, about(session, target(fixture.Pod())))
		want{phase: v1alpha1.PhaseStarting}.check(t, p)
		if got := p.Status.Target; got.PodUID != fixture.PodUID || got.Choice != session.Status.Target.Choice {
			t.Errorf("target is %+v", got)
		}
	})
	t.Run("unless it has gone: then another is", func(t *testing.T) {
		p := pass(t, about(session, targetIs(absent())))
		want{phase: v1alpha1.PhasePending, reason: "TargetNotFound", warns: "TargetNotFound"}.check(t, p)
		again := written(session, p)
		p = pass(t, about(again, candidates(*fixture.Pod(fixture.Named("web-2")))))
		if got := p.Status.Target; got == nil || got.PodName != "web-2" {
			t.Errorf("chose %+v", got)
		}
	})
	t.Run("and late is not too late, when it is there", func(t *testing.T) {
		late := fixture.Session(fixture.OfWorkload("Deployment", "web"))
		p := pass(t, about(late, candidates(*fixture.Pod()), at(after(time.Hour))))
		want{phase: v1alpha1.PhasePending, reason: "TargetChosen", does: "AddFinalizer"}.check(t, p)
	})
}

// What an API server has at hand may lack a pod that was made just now.
func TestThatThereIsNoCandidateIsMadeSureOf(t *testing.T) {
	session := fixture.Session(fixture.OfWorkload("Deployment", "web"))
	session.Finalizers = []string{v1alpha1.Finalizer}
	for name, atHand := range map[string][]corev1.Pod{
		"none":     nil,
		"finished": {*fixture.Pod(fixture.Finished(corev1.PodFailed, "Evicted", ""))},
	} {
		t.Run(name, func(t *testing.T) {
			v := about(session, candidates(atHand...))
			v.freshCandidates = new(plan.Found([]corev1.Pod{*fixture.Pod(fixture.Named("web-2"))}))
			p := pass(t, v)
			want{phase: v1alpha1.PhasePending, reason: "TargetChosen"}.check(t, p)
			if got := p.Status.Target; got == nil || got.PodName != "web-2" {
				t.Errorf("chose %+v", got)
			}
		})
	}
}

func TestWithoutCandidates(t *testing.T) {
	waitUntil := after(plan.StartTimeout)
	none := plan.Absent[[]corev1.Pod]()
	selecting := fixture.OfSelector(map[string]string{"app": "web"})
	soon := after(15 * time.Second) // no one pod to watch
	for name, tc := range map[string]struct {
		session fixture.SessionOption
		seen    plan.Observed[[]corev1.Pod]
		at      time.Time
		want    want
	}{
		"no workload": {fixture.OfWorkload("Deployment", "web"), none, now,
			want{phase: v1alpha1.PhasePending, reason: "TargetNotFound", says: `there is no Deployment "web" in namespace "shop"`,
				wakes: soon, warns: "TargetNotFound"}},
		"no workload, just before it is too late": {fixture.OfWorkload("Deployment", "web"), none, waitUntil.Add(-time.Second),
			want{phase: v1alpha1.PhasePending, wakes: waitUntil}},
		"no workload for too long": {fixture.OfWorkload("Deployment", "web"), none, waitUntil,
			want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeTimedOut, warns: "TimedOut"}},
		"no pods for too long": {selecting, plan.Found[[]corev1.Pod](nil), waitUntil,
			want{
				phase:   v1alpha1.PhaseEnded,
				outcome: v1alpha1.OutcomeTimedOut,
				says:    "no pod matches spec.target.selector (app=web)",
				warns:   "TimedOut",
			}},
		"no pods of a workload": {fixture.OfWorkload("Deployment", "web"), plan.Found[[]corev1.Pod](nil), now,
			want{
				phase:  v1alpha1.PhasePending,
				reason: "TargetNotFound",
				says:   `Deployment "web" has no pods: check its replicas`,
				warns:  "TargetNotFound",
			}},
		"absent, though nothing is named": {selecting, none, now,
			want{phase: v1alpha1.PhasePending, reason: "TargetNotFound", warns: "TargetNotFound"}},
		"unreadable": {selecting, plan.Unknown[[]corev1.Pod](errOffline), now,
			want{phase: v1alpha1.PhasePending, reason: "Unreadable", retries: true, warns: "Unreadable"}},
		"unreadable, and always will be": {fixture.OfWorkload("ConfigMap", "web"),
			plan.Unknown[[]corev1.Pod](&plan.Refusal{Reason: v1alpha1.ReasonInvalid, Message: "a ConfigMap selects no pods"}), now,
			want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "Invalid", says: "selects no pods",
				warns: "Rejected"}},
		"awaited": {selecting, plan.Awaited[[]corev1.Pod](), now, want{}},
	} {
		t.Run(name, func(t *testing.T) {
			session := fixture.Session(tc.session)
			session.Finalizers = []string{v1alpha1.Finalizer}
			if tc.at != now {
				waitingSince(now)(session)
			}
			tc.want.check(t, pass(t, about(session, candidatesAre(tc.seen), at(tc.at))))
		})
	}
}

// The API server does not check what is in a label selector of a custom resource.
func TestASelectorThatIsNone(t *testing.T) {
	session := fixture.Session(fixture.OfSelector(map[string]string{"app": "no value has spaces"}))
	session.Spec.Target.Selector.MatchExpressions = []metav1.LabelSelectorRequirement{
		{Key: "app", Operator: "Like", Values: []string{"web"}},
	}
	p := pass(t, about(session)) // asks for no pods
	want{phase: v1alpha1.PhaseEnded, outcome: v1alpha1.OutcomeRejected, reason: "Invalid", says: "spec.target.selector: ",
		does: "AddFinalizer", warns: "Rejected"}.check(t, p)
}
