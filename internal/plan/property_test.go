package plan_test

import (
	"flag"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
	"debugsession.dev/operator/internal/policy"
)

// checks sets how many sequences a property is tried with.
func checks(t *testing.T, n string) {
	t.Helper()
	before := flag.Lookup("rapid.checks").Value.String()
	if before != flag.Lookup("rapid.checks").DefValue {
		return // asked for on the command line
	}
	if err := flag.Set("rapid.checks", n); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set("rapid.checks", before) })
}

// repeatable has CI draw the same sequences each time, so that what it refuses can be repeated. Whoever else runs it draws others.
func repeatable(t *testing.T) {
	t.Helper()
	before := flag.Lookup("rapid.seed").Value.String()
	if os.Getenv("CI") == "" || before != flag.Lookup("rapid.seed").DefValue {
		return
	}
	if err := flag.Set("rapid.seed", "1"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set("rapid.seed", before) })
}

// Whatever users, nodes, caches and the API server do, in whatever order, the laws hold in every pass; and once they behave,
// the session ends and rests.
func TestAnySequenceOfEvents(t *testing.T) {
	checks(t, sequences)
	repeatable(t)
	t.Logf("%s sequences in each mode", flag.Lookup("rapid.checks").Value)
	for _, mode := range v1alpha1.Modes() {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) { newWorld(t, drawSession(t, mode), drawClass(t)).livesThrough(t) })
		})
	}
	t.Run("a pod's network", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			session, class := drawSession(t, v1alpha1.ModeNode), drawClass(t)
			inNetwork(session)
			session.Spec.Emergency = false
			forNetworks(&class.Spec)
			newWorld(t, session, class).livesThrough(t)
		})
	})
}

// livesThrough is whatever may happen to the world, and then its end.
func (w *world) livesThrough(t *rapid.T) {
	for range rapid.IntRange(0, 30).Draw(t, "steps") {
		step := steps[rapid.IntRange(0, len(steps)-1).Draw(t, "step")]
		t.Log(step.name)
		step.take(t, w)
	}
	w.behave()
	w.endsAndRests(t)
}

func drawSession(t *rapid.T, mode v1alpha1.Mode) *v1alpha1.DebugSession {
	session := fixture.Session(func(s *v1alpha1.DebugSession) { s.Spec.Mode = mode })
	if mode != v1alpha1.ModeNode && rapid.Bool().Draw(t, "selector") {
		fixture.OfSelector(map[string]string{"app": "web"})(session)
		rapid.SampledFrom([]fixture.SessionOption{func(*v1alpha1.DebugSession) {}, fixture.Crashed, fixture.NotReadyFor(time.Minute)}).Draw(t, "when")(session)
	}
	switch mode {
	case v1alpha1.ModeEphemeralContainer:
		session.Spec.Debugger.Unstoppable = rapid.IntRange(0, 7).Draw(t, "unstoppable") == 0
	case v1alpha1.ModePodCopy:
		fixture.AsCopy()(session)
		session.Spec.PodCopy.Isolate = rapid.IntRange(0, 3).Draw(t, "isolate") == 0
		session.Spec.PodCopy.ReplaceOriginal = rapid.SampledFrom([]v1alpha1.ReplaceOriginal{"", "", "", v1alpha1.ReplaceIfUncontrolled}).
			Draw(t, "replace")
	case v1alpha1.ModeNode:
		onNode(session)
	}
	if rapid.IntRange(0, 3).Draw(t, "no stdin") == 0 {
		session.Spec.Debugger.Stdin, session.Spec.Debugger.TTY = false, false
	}
	if rapid.Bool().Draw(t, "has ttl") {
		fixture.TTL(drawTTL(t))(session)
	}
	if session.Spec.NotAfter == nil && rapid.IntRange(0, 3).Draw(t, "has notAfter") == 0 {
		fixture.NotAfter(fixture.Created.Add(time.Duration(rapid.IntRange(-1, 48*60).Draw(t, "notAfter in minutes")) * time.Minute))(
			session)
	}
	return session
}

func drawClass(t *rapid.T) *v1alpha1.DebugClass {
	class := fixture.Class(allowsAll)
	if rapid.IntRange(0, 3).Draw(t, "wants approval") == 0 {
		fixture.Approvals(1)(&class.Spec)
	}
	if class.Spec.Approval != nil && rapid.Bool().Draw(t, "lets emergencies start") {
		class.Spec.Approval.Emergency = &v1alpha1.EmergencyPolicy{ReviewWithin: metav1.Duration{Duration: time.Minute},
			MaxTTL: &metav1.Duration{Duration: 5 * time.Minute}}
	}
	if rapid.Bool().Draw(t, "has limits") {
		class.Spec.Limits = &v1alpha1.ClassLimits{PerNamespace: 1}
	}
	if rapid.IntRange(0, 3).Draw(t, "requires a record") == 0 {
		class.Spec.Audit = v1alpha1.AuditRequired
	}
	switch {
	case !rapid.Bool().Draw(t, "keeps a transcript"):
	case class.Spec.Audit == v1alpha1.AuditRequired:
		class.Spec.Transcript = v1alpha1.TranscriptRequired
	default:
		class.Spec.Transcript = v1alpha1.TranscriptBestEffort
	}
	if rapid.Bool().Draw(t, "warns of the end") {
		class.Spec.EndWarnings = []metav1.Duration{{Duration: time.Minute}, {Duration: 5 * time.Minute}}
	}
	return class
}

// allowsAll is for what a class must allow in so many words.
func allowsAll(c *v1alpha1.DebugClassSpec) {
	c.Modes, c.NodeNamespace, c.AllowUnstoppable = v1alpha1.Modes(), fixture.Namespace, true
}

func drawTTL(t *rapid.T) time.Duration {
	return time.Duration(rapid.SampledFrom([]int{10, 60, 299, 300, 301, 3600, 86400}).Draw(t, "ttl in seconds")) * time.Second
}

type step struct {
	name string
	take func(*rapid.T, *world)
}

// steps are what may happen. What is most common is there several times.
var steps = []step{
	{"reconcile", reconcile}, {"reconcile", reconcile}, {"reconcile", reconcile}, {"reconcile", reconcile}, {"reconcile", reconcile},
	{"reconcile", reconcile}, {"reconcile", reconcile}, {"reconcile", reconcile}, {"reconcile", reconcile}, {"reconcile", reconcile},
	{"sync", sync}, {"sync", sync}, {"sync", sync}, {"sync", sync}, {"sync", sync}, {"sync", sync},
	{"only the session is seen", func(_ *rapid.T, w *world) { w.seenSession = w.session.DeepCopy() }},
	{"only the session is seen", func(_ *rapid.T, w *world) { w.seenSession = w.session.DeepCopy() }},
	{"a little later", func(t *rapid.T, w *world) { w.goOn(w.now.Add(time.Second)) }},
	{"later", func(t *rapid.T, w *world) {
		w.goOn(w.now.Add(time.Duration(rapid.SampledFrom([]int{10, 60, 299, 301, 1800, 90000}).Draw(t, "seconds")) * time.Second))
	}},
	{"the clock is set back", func(_ *rapid.T, w *world) { w.goOn(w.now.Add(-time.Minute)) }},
	{"the debugger runs", func(_ *rapid.T, w *world) { w.setDebugger(fixture.Running(w.now)) }},
	{"the debugger runs", func(_ *rapid.T, w *world) { w.setDebugger(fixture.Running(w.now)) }},
	{"the debugger is killed", func(_ *rapid.T, w *world) { w.setDebugger(fixture.Exited(w.now, 137, "Error", "")) }},
	{"its watchdog is killed", func(_ *rapid.T, w *world) { w.lost = true }},
	{"the target's container is restarted", func(_ *rapid.T, w *world) {
		if w.target != nil && w.target.Spec.RestartPolicy != corev1.RestartPolicyNever {
			w.restartTarget()
		}
	}},
	{"the target's container crashes", func(_ *rapid.T, w *world) { w.endTarget(crashing(1)) }},
	{"the target's container has finished", func(_ *rapid.T, w *world) { w.endTarget(never(fixture.Exited(w.now, 0, "Completed", ""))) }},
	{"the target is not ready", func(_ *rapid.T, w *world) {
		if w.target != nil && len(w.target.Status.Conditions) > 0 {
			fixture.NotReady(w.target)
			w.target.Status.Conditions[0].LastTransitionTime = metav1.NewTime(w.now)
			w.changed()
		}
	}},
	{"the target's container runs", targetDo(func(p *corev1.Pod) {
		if p.Spec.RestartPolicy != corev1.RestartPolicyNever {
			fixture.ContainerState("app", fixture.Running(p.CreationTimestamp.Time))(p)
		}
	})},
	{"the debugger's container is removed", func(_ *rapid.T, w *world) { w.removeDebugger() }},
	{"its image is not there", func(t *rapid.T, w *world) {
		w.setDebugger(rapid.SampledFrom([]corev1.ContainerState{fixture.Waiting("ErrImagePull", pullError),
			fixture.Waiting("ImagePullBackOff", pullPause)}).Draw(t, "state"))
	}},
	{"the debugger ends", func(t *rapid.T, w *world) {
		w.setDebugger(rapid.SampledFrom([]corev1.ContainerState{fixture.Exited(w.now, 0, "Completed", ""),
			fixture.Exited(w.now, 128, "StartError", "no sh")}).Draw(t, "state"))
	}},
	{"end: true", func(_ *rapid.T, w *world) { w.edit(fixture.End) }},
	{"end: false", func(_ *rapid.T, w *world) { w.edit(func(s *v1alpha1.DebugSession) { s.Spec.End = false }) }},
	{"it is an emergency", func(_ *rapid.T, w *world) {
		if w.session != nil && w.session.Status.StartedAt == nil { // as admission has it
			w.edit(declared)
		}
	}},
	{"the right to declare an emergency", func(_ *rapid.T, w *world) { w.noHaste = !w.noHaste; w.changed() }},
	{"another ttl", func(t *rapid.T, w *world) { w.edit(fixture.TTL(drawTTL(t))) }},
	{"deleted", func(_ *rapid.T, w *world) { w.edit(fixture.Deleted) }},
	{"the finalizer is taken away", func(_ *rapid.T, w *world) {
		if w.session != nil && w.session.DeletionTimestamp == nil {
			w.edit(func(s *v1alpha1.DebugSession) { s.Finalizers = nil })
		}
	}},
	{"the target goes", func(_ *rapid.T, w *world) { w.goes(&w.target) }},
	{"the target is deleted", targetDo(fixture.Terminating)},
	{"the target ends", targetDo(fixture.Finished(corev1.PodFailed, "Evicted", "The node was low on memory"))},
	{"the target is replaced", func(_ *rapid.T, w *world) { w.newTarget() }},
	{"the target comes", func(_ *rapid.T, w *world) {
		if w.target == nil {
			w.newTarget()
		}
	}},
	{"the node goes", func(_ *rapid.T, w *world) { w.node = nil; w.changed() }},
	{"another node has its name", func(_ *rapid.T, w *world) { w.node = node(fixture.OtherUID); w.changed() }},
	{"the copy is held", copyDo(fixture.HeldBy("example.com/hold"))},
	{"what cuts it off is held", func(_ *rapid.T, w *world) { w.held = true }},
	{"the copy is deleted", func(_ *rapid.T, w *world) { w.goes(&w.copied) }},
	{"the copy is evicted", copyDo(fixture.Finished(corev1.PodFailed, "Evicted", "The node was low on memory"))},
	{"the copy is orphaned", func(_ *rapid.T, w *world) {
		if w.copied != nil && w.session != nil && w.session.Status.Debugger != nil && w.session.Status.Debugger.PodUID == w.copied.UID {
			w.copied.OwnerReferences = nil
			w.changed()
		}
	}},
	{"the copy's name is taken", func(_ *rapid.T, w *world) {
		if w.copied == nil && w.session != nil && w.session.Status.Debugger != nil && w.session.Spec.Mode == v1alpha1.ModePodCopy {
			w.copied = fixture.Pod(fixture.Named(w.session.Status.Debugger.PodName))
			w.changed()
		}
	}},
	{"the operator is restarted", func(_ *rapid.T, w *world) {
		w.access, w.record, w.transcript = plan.AccessUnsure, plan.RecordState{}, plan.TranscriptState{}
		w.sync()
	}},
	{"the log is read", func(_ *rapid.T, w *world) { w.readsLog() }},
	{"the log is read", func(_ *rapid.T, w *world) { w.readsLog() }},
	{"the debugger prints", func(_ *rapid.T, w *world) { w.transcript.CaughtUp = false }},
	{"its node gives no log", func(_ *rapid.T, w *world) { w.noLog = true }},
	{"the audit store fails", func(_ *rapid.T, w *world) { w.storeUp = false }},
	{"the audit store can be written", func(_ *rapid.T, w *world) { w.storeUp = true; w.stores() }},
	{"approved", decided(v1alpha1.DecisionApprove)},
	{"approved", decided(v1alpha1.DecisionApprove)},
	{"denied", decided(v1alpha1.DecisionDeny)},
	{"the approval is removed", func(_ *rapid.T, w *world) { w.approvals = nil; w.changed() }},
	{"the right to use the class", func(_ *rapid.T, w *world) { w.mayUse = !w.mayUse; w.changed() }},
	{"the class's limit is reached", func(_ *rapid.T, w *world) { w.full = !w.full; w.changed() }},
	{"the class goes", func(_ *rapid.T, w *world) { w.class = nil; w.changed() }},
	{"the class comes", func(_ *rapid.T, w *world) {
		if w.class == nil {
			w.class = fixture.Class(allowsAll)
			w.changed()
		}
	}},
	{"reads", func(t *rapid.T, w *world) {
		w.sight = rapid.SampledFrom([]sight{seeing, seeing, seeing, blind, dim, unsure}).Draw(t, "sight")
	}},
}

func reconcile(t *rapid.T, w *world) {
	fault := rapid.SampledFrom([]fault{noFault, noFault, noFault, noFault, actionFails, answerIsLost, statusIsLost, actionRefused}).
		Draw(t, "fault")
	if seen := w.seenSession; fault != noFault || seen == nil || w.session == nil || seen.ResourceVersion != w.session.ResourceVersion {
		if p, _ := w.reconcile(fault); p.Retry != nil && !p.WakeAt.IsZero() && !p.WakeAt.After(w.now) {
			t.Fatalf("tries again without a pause: phase %q, %s", p.Status.Phase, said(p))
		}
		return
	}
	if p, changed := w.reconcile(fault); !changed && !p.WakeAt.IsZero() && !p.WakeAt.After(w.now) {
		t.Fatalf("spins: phase %q, %s", p.Status.Phase, said(p))
	}
}

func sync(_ *rapid.T, w *world) { w.sync() }

// decided is bob's decision, on what the session asks for now.
func decided(decision v1alpha1.Decision) func(*rapid.T, *world) {
	return func(_ *rapid.T, w *world) {
		if w.session == nil || w.session.Status.Request == nil {
			return
		}
		w.approvals = []approval.Approval{{DebugApproval: fixture.Approval("bob-says", w.session, decision, w.now), Sealed: true}}
		w.changed()
	}
}

func targetDo(change fixture.PodOption) func(*rapid.T, *world) {
	return func(_ *rapid.T, w *world) {
		if w.target != nil {
			change(w.target)
			w.changed()
		}
	}
}

func copyDo(change fixture.PodOption) func(*rapid.T, *world) {
	return func(_ *rapid.T, w *world) {
		if w.copied != nil {
			change(w.copied)
			w.changed()
		}
	}
}

// behave ends all faults: reads work, nobody holds a pod, and what nothing can stop is ended with its pod.
func (w *world) behave() {
	w.sight = seeing
	w.held = false
	w.storeUp = true
	w.stores()
	if w.lifting {
		w.isolate(false)
	}
	if w.unstoppable() {
		w.target = nil
	}
	if w.copied != nil {
		w.copied.Finalizers = nil
		if w.copied.DeletionTimestamp != nil {
			w.copied = nil
		}
	}
	if w.target != nil && w.target.DeletionTimestamp != nil {
		w.target = nil
	}
	w.changed()
}

// endsAndRests reconciles as a cluster that behaves does: at each change, and when the session wants to be woken. A log that its node
// does not give stays so.
func (w *world) endsAndRests(t *rapid.T) {
	const enough = 120
	latest := w.latestEnd()
	for range enough {
		w.readsLog()
		w.sync()
		p, changed := w.reconcile(noFault)
		switch {
		case w.session == nil:
			return
		case changed:
		case p.Status.Phase == v1alpha1.PhaseEnded:
			w.rests(t)
			return
		case p.Retry != nil && !w.lost: // who has killed its watchdog cannot be extended: that is tried until its end
			t.Fatalf("retries, and nothing is wrong: %v", p.Retry)
		case p.WakeAt.IsZero():
			t.Fatalf("is never woken, and has not ended: phase %q, %s", p.Status.Phase, said(p))
		case !p.WakeAt.After(w.now):
			t.Fatalf("spins: phase %q, %s", p.Status.Phase, said(p))
		default:
			w.goOn(p.WakeAt)
			if w.now.After(latest) {
				t.Fatalf("has not ended at %s: phase %q, %s", w.now, p.Status.Phase, said(p))
			}
		}
	}
	t.Fatalf("has not ended after %d passes", enough)
}

// latestEnd is when the session must have ended if all goes well from now on: it is waited for its target, its approval
// and its debugger, and then it lasts.
func (w *world) latestEnd() time.Time {
	latest := w.now
	if latest.Before(fixture.Created) {
		latest = fixture.Created
	}
	lasts := policy.DefaultTTL
	if w.session != nil && w.session.Spec.TTL != nil {
		lasts = w.session.Spec.TTL.Duration
	}
	if w.session != nil && w.session.Spec.Target.When != nil && latest.Before(w.session.Spec.NotAfter.Time) {
		latest = w.session.Spec.NotAfter.Time
	}
	return latest.Add(time.Hour + 4*plan.StartTimeout + lasts)
}

// rests: an ended session asks nothing, does nothing, says nothing and sleeps, at whatever time and whatever is there.
func (w *world) rests(t *rapid.T) {
	if len(w.session.Finalizers) > 0 {
		t.Errorf("an ended session keeps its finalizer")
	}
	w.isReviewed(t)
	for _, at := range []time.Time{w.now, w.now.Add(-time.Hour), w.now.Add(1000 * time.Hour)} {
		p := pass(t, view{session: w.session, now: at})
		quiet(t, w.session, p)
		if len(p.Actions) > 0 || !p.WakeAt.IsZero() || p.Retry != nil {
			t.Errorf("an ended session does %q, wakes at %s, retries %v", does(p), p.WakeAt, p.Retry)
		}
	}
}

// isReviewed: a session that started before its approval asks for nothing but its review, says so when that is overdue, is kept, and
// rests when it was reviewed.
func (w *world) isReviewed(t *rapid.T) {
	if !w.session.Status.AwaitsReview() {
		return
	}
	w.sync()
	w.now = w.now.Add(24 * time.Hour)
	w.reconcile(noFault)
	if !w.session.Status.ReviewOverdue() {
		t.Fatalf("was not reviewed in time, and does not say so: %+v", w.session.Status.Review)
	}
	decided(v1alpha1.DecisionApprove)(t, w)
	w.sync()
	w.reconcile(noFault)
	if review := w.session.Status.Review; review.Decision != v1alpha1.DecisionApprove || review.By != "bob" || !review.AfterEnd {
		t.Fatalf("bob has reviewed it, and it says %+v", review)
	}
}
