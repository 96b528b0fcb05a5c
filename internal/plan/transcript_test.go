package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

var complete = v1alpha1.TranscriptStatus{Key: "transcripts/2026-11-24/shop/hang-1/", Format: v1alpha1.TranscriptCast, Parts: 2, Bytes: 100,
	SHA256: "5ha"}

func transcriptOf(policy v1alpha1.TranscriptPolicy) func(*v1alpha1.DebugClassSpec) {
	return func(c *v1alpha1.DebugClassSpec) { c.Transcript = policy }
}

func transcriptIs(state plan.TranscriptState) look {
	return func(v *view) { v.store, v.transcript = true, &state }
}

// transcribed is a session whose debugger's output is kept.
func transcribed(s *v1alpha1.DebugSession) *v1alpha1.DebugSession {
	s = s.DeepCopy()
	s.Status.Class.Transcript = v1alpha1.TranscriptBestEffort
	return s
}

func TestTranscriptIsGranted(t *testing.T) {
	const none, best, required = v1alpha1.TranscriptNone, v1alpha1.TranscriptBestEffort, v1alpha1.TranscriptRequired
	for _, tc := range []struct {
		before, class v1alpha1.TranscriptPolicy
		store         bool
		want          v1alpha1.TranscriptPolicy
		warns         bool
	}{
		{none, none, true, none, false},
		{none, best, true, best, false},
		{none, best, false, none, true},
		{best, none, true, best, false},
		{none, required, true, required, false},
		{required, best, true, required, false},
		{required, none, true, required, false},
	} {
		session := fixture.Session()
		session.Finalizers = []string{v1alpha1.Finalizer}
		store := func(v *view) { v.store = tc.store }
		waiting := written(session,
			pass(t, about(session, classIs(transcriptOf(tc.before), fixture.Approvals(1)), target(fixture.Pod()), hasStore)))
		waiting.Status.Class.ApprovalsRequired, waiting.Status.Request = 0, nil
		p := pass(t, about(waiting, classIs(transcriptOf(tc.class)), target(fixture.Pod()), store))
		if p.Status.Phase != v1alpha1.PhaseStarting || p.Status.Class.Transcript != tc.want {
			t.Errorf("%+v: %s, %q: %s", tc, p.Status.Phase, p.Status.Class.Transcript, said(p))
		}
		if warned := slices.ContainsFunc(p.Status.Warnings,
			func(w string) bool { return strings.Contains(w, "the debugger's output is not recorded") }); warned != tc.warns {
			t.Errorf("%+v: warnings %q", tc, p.Status.Warnings)
		}
	}
}

// Who attaches can read that it is recorded: in the status, and in the terminal of an ephemeral debugger.
func TestWhoIsRecordedIsTold(t *testing.T) {
	session := transcribed(admitted(t, fixture.Session(), fixture.Pod()))
	p := pass(t, about(session, target(fixture.Pod()), hasStore))
	command := strings.Join(p.Actions[len(p.Actions)-1].(plan.InjectDebugger).Container.Command, " ")
	if !strings.Contains(command, "what is printed here is recorded") {
		t.Errorf("the debugger runs %s", command)
	}
	p = pass(t, about(session, target(debugged(session, fixture.Running(now))), hasStore))
	want{phase: v1alpha1.PhaseActive, does: "GrantAccess", says: "its output is recorded"}.check(t, p)
}

// A copy stays for its log, for a moment: until it is read, and not past the hard deadline.
func TestCopyIsNotDeletedBeforeItsLogIsRead(t *testing.T) {
	session, pod := activeCopy(t)
	session = ending(t, transcribed(session))
	exited := pod.DeepCopy()
	fixture.ContainerState(session.Status.Debugger.ContainerName, fixture.Exited(now, 0, "Completed", ""))(exited)
	failed := exited.DeepCopy()
	failed.Status.Phase = corev1.PodFailed
	killing := pod.DeepCopy()
	killing.Status.Phase = corev1.PodFailed
	beside := failed.DeepCopy()
	beside.Status.EphemeralContainerStatuses = []corev1.ContainerStatus{{Name: "another", State: fixture.Running(now)}}
	deletes := want{phase: v1alpha1.PhaseEnding, does: "DeletePod"}
	waits := want{phase: v1alpha1.PhaseEnding, wakes: after(10 * time.Second)}
	dueAt := func(at time.Time) *v1alpha1.DebugSession {
		due := session.DeepCopy()
		due.Status.HardDeadline.Time = at
		return due
	}
	for name, tc := range map[string]struct {
		session *v1alpha1.DebugSession
		pod     *corev1.Pod
		state   plan.TranscriptState
		at      time.Time
		want    want
	}{
		"nothing is read":               {session, pod, plan.TranscriptState{}, now, waits},
		"all there is is read":          {session, pod, plan.TranscriptState{CaughtUp: true}, now, deletes},
		"it has ended, and more may be": {session, exited, plan.TranscriptState{CaughtUp: true}, now, waits},
		"it has ended, and all is read": {session, exited, plan.TranscriptState{Read: true}, now, deletes},
		"just before the bound":         {session, pod, plan.TranscriptState{}, after(10*time.Second - 1), waits},
		"at the bound":                  {session, pod, plan.TranscriptState{}, after(10 * time.Second), deletes},
		"just before the hard deadline": {dueAt(after(3 * time.Second)), pod, plan.TranscriptState{}, after(2 * time.Second),
			want{phase: v1alpha1.PhaseEnding, wakes: after(3 * time.Second)}},
		"at the hard deadline": {dueAt(after(3 * time.Second)), pod, plan.TranscriptState{},
			after(3 * time.Second), deletes},
		"at the hard deadline, and nothing runs": {
			dueAt(now), failed, plan.TranscriptState{CaughtUp: true}, after(9 * time.Second),
			want{phase: v1alpha1.PhaseEnding, wakes: after(plan.TranscriptTimeout)},
		},
		"at the hard deadline, and one still runs": {dueAt(now), killing, plan.TranscriptState{CaughtUp: true}, now, deletes},
		"at the hard deadline, and another debugger runs": {
			dueAt(now), beside, plan.TranscriptState{CaughtUp: true}, now, deletes,
		},
		"nothing runs, and its log is not to be had": {dueAt(now), failed, plan.TranscriptState{CaughtUp: true},
			after(plan.TranscriptTimeout), deletes},
		"nothing runs, and another operator reads it": {dueAt(now), failed, plan.TranscriptState{Read: true}, after(time.Minute), deletes},
		"the store fails": {session, pod, plan.TranscriptState{Failure: "access denied"}, after(10 * time.Second), deletes},
	} {
		t.Run(name, func(t *testing.T) {
			tc.want.check(t, pass(t, about(tc.session, copied(tc.pod), at(tc.at), transcriptIs(tc.state))))
		})
	}
}

// Without a transcript nothing is asked about one.
func TestCopyWithoutATranscriptDoesNotStay(t *testing.T) {
	session, pod := activeCopy(t)
	want{phase: v1alpha1.PhaseEnding, does: "DeletePod"}.check(t, pass(t, about(ending(t, session), copied(pod), hasStore)))
}

// A session that waits for its record waits for the transcript first, which is written down before the record is made.
func TestRecordWaitsForTheTranscript(t *testing.T) {
	session, _ := active(t)
	session = ending(t, transcribed(requires(session)))
	pod := debugged(session, fixture.Exited(now, 137, "Error", ""))
	over := written(session, pass(t, about(session, target(pod), hasStore)))

	p := pass(t, about(over, transcriptIs(plan.TranscriptState{}), at(after(time.Hour))))
	want{phase: v1alpha1.PhaseEnding, says: "its transcript, which the record references, is read and stored first"}.check(t, p)
	p = pass(t, about(over, transcriptIs(plan.TranscriptState{Failure: "access denied"})))
	want{phase: v1alpha1.PhaseEnding, says: "access denied", warns: v1alpha1.ReasonNotRecorded}.check(t, p)
	p = pass(t, about(over, transcriptIs(plan.TranscriptState{Read: true, Stored: &complete})))
	want{phase: v1alpha1.PhaseEnding}.check(t, p)
	if p.Status.Transcript == nil || *p.Status.Transcript != complete {
		t.Fatalf("transcript: %+v", p.Status.Transcript)
	}
	p = pass(t, about(written(over, p), recordIs(plan.RecordState{})))
	want{phase: v1alpha1.PhaseEnding, does: "StoreRecord"}.check(t, p)
}

// What never ran has printed nothing.
func TestRecordOfWhatNeverRanWaitsForNoTranscript(t *testing.T) {
	session := transcribed(requires(admitted(t, fixture.Session(), fixture.Pod())))
	session = ending(t, session)
	over := written(session, pass(t, about(session, target(fixture.Pod()), hasStore)))
	if over.Status.EndedAt == nil {
		t.Fatalf("not over: %s", over.Status.Phase)
	}
	want{phase: v1alpha1.PhaseEnding, does: "StoreRecord"}.check(t, pass(t, about(over, recordIs(plan.RecordState{}))))
}
