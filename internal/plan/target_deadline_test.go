package plan_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
	"debugsession.dev/operator/internal/policy"
)

// lasting is a pod that its kubelet ends so long after it has begun with it.
func lasting(seconds int64, since time.Time) fixture.PodOption {
	return func(p *corev1.Pod) {
		p.Spec.ActiveDeadlineSeconds = &seconds
		p.Status.StartTime = &metav1.Time{Time: since}
	}
}

// What a session says of its end is so from the start, also where its pod ends by itself.
func TestATargetWithADeadlineOfItsOwn(t *testing.T) {
	minuteAgo := now.Add(-time.Minute)
	for name, tc := range map[string]struct {
		options []fixture.SessionOption
		target  fixture.PodOption
		expires time.Time
		hard    time.Time
		says    string
	}{
		"ephemeral: of what is left of it": {nil, lasting(100, minuteAgo), after(40 * time.Second), after(40 * time.Second),
			`until 2026-11-24T12:00:41Z, as activeDeadlineSeconds ends pod "web" then`},
		"ephemeral: it lasts longer": {nil, lasting(36000, minuteAgo), after(policy.DefaultTTL), after(36000*time.Second - time.Minute),
			"until 2026-11-24T12:30:01Z"},
		"ephemeral: notAfter is earlier": {[]fixture.SessionOption{fixture.NotAfter(after(10 * time.Second))}, lasting(100, minuteAgo),
			after(10 * time.Second), after(10 * time.Second), ""},
		"copy: it begins anew": {[]fixture.SessionOption{fixture.AsCopy()}, lasting(100, minuteAgo), after(100 * time.Second),
			after(100 * time.Second), "as the copy has the activeDeadlineSeconds"},
		"copy: of one that is over": {[]fixture.SessionOption{fixture.AsCopy()}, lasting(40, minuteAgo), after(40 * time.Second),
			after(40 * time.Second), "as the copy has the activeDeadlineSeconds"},
		"copy: the session's ttl is shorter": {[]fixture.SessionOption{fixture.AsCopy(), fixture.TTL(30 * time.Second)},
			lasting(40, minuteAgo), after(30 * time.Second), after(40 * time.Second), ""},
	} {
		t.Run(name, func(t *testing.T) {
			pod := fixture.Pod(tc.target)
			session := admitted(t, fixture.Session(tc.options...), pod)
			status := session.Status
			if !status.ExpiresAt.Time.Equal(tc.expires) || !status.HardDeadline.Time.Equal(tc.hard) {
				t.Errorf("until %s, at the latest %s; want %s, %s", status.ExpiresAt, status.HardDeadline, tc.expires, tc.hard)
			}
			if message := meta.FindStatusCondition(status.Conditions,
				v1alpha1.ConditionAdmissible).Message; !strings.Contains(message, tc.says) {
				t.Errorf("says %q, want %q", message, tc.says)
			}
			made := pass(t, about(session, target(pod), copyIs(absent()))).Actions
			if create, ok := made[len(made)-1].(plan.CreatePod); ok &&
				*create.Pod.Spec.ActiveDeadlineSeconds != int64(tc.hard.Sub(now)/time.Second) {
				t.Errorf("the copy has %d seconds", *create.Pod.Spec.ActiveDeadlineSeconds)
			}
			// A longer ttl does not move the end past it.
			longer := written(session, plan.Plan{Status: session.Status}, fixture.TTL(12*time.Hour))
			p := pass(t, about(longer, target(pod), copyIs(absent())))
			if p.Status.ExpiresAt.After(tc.hard) {
				t.Errorf("moved to %s", p.Status.ExpiresAt)
			}
		})
	}
}

func TestATargetWhoseTimeIsUp(t *testing.T) {
	session := fixture.Session()
	session.Finalizers = []string{v1alpha1.Finalizer}
	p := pass(t, about(session, target(fixture.Pod(lasting(60, now.Add(-time.Minute))))))
	want{
		phase:   v1alpha1.PhaseEnded,
		outcome: v1alpha1.OutcomeRejected,
		reason:  "TargetFinished",
		says:    "has reached its activeDeadlineSeconds (60)",
		warns:   "Rejected",
	}.check(t, p)
}

// Somebody may shorten a running pod's time.
func TestATargetWhoseTimeIsShortened(t *testing.T) {
	session, _ := active(t)
	pod := debugged(session, fixture.Running(now), lasting(120, now.Add(-time.Minute)))
	p := pass(t, about(session, target(pod)))
	want{phase: v1alpha1.PhaseActive, wakes: after(time.Minute), warns: ""}.check(t, p)
	if !p.Status.ExpiresAt.Time.Equal(after(time.Minute)) || !p.Status.Target.Deadline.Time.Equal(after(time.Minute)) {
		t.Errorf("expires at %s, its target at %s", p.Status.ExpiresAt, p.Status.Target.Deadline)
	}
	session = written(session, p)
	p = pass(t, about(session, target(pod), at(after(time.Minute))))
	want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeExpired, says: "as activeDeadlineSeconds ends pod"}.check(t, p)
}
