package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

func keepsArtifacts(c *v1alpha1.DebugClassSpec) { c.Artifacts = &v1alpha1.ArtifactPolicy{} }

func leaving(s *v1alpha1.DebugSession) {
	s.Spec.Debugger.Stdin, s.Spec.Debugger.TTY = false, false
	s.Spec.Debugger.Command, s.Spec.Debugger.Artifacts = []string{"tcpdump"}, []string{"/tmp/a", "/tmp/b"}
}

func artifactsAre(done bool, rows ...v1alpha1.ArtifactStatus) look {
	return func(v *view) { v.store, v.artifacts = true, &plan.ArtifactsState{Done: done, Rows: rows} }
}

var (
	keptA    = v1alpha1.ArtifactStatus{Path: "/tmp/a", State: v1alpha1.ArtifactKept, Key: "artifacts/x/0/", Parts: 1, Bytes: 2, SHA256: "5ha"}
	missingB = v1alpha1.ArtifactStatus{Path: "/tmp/b", State: v1alpha1.ArtifactMissing, Message: "there was\x1b none"}
)

// Nothing starts where there is no store for what it is to keep, and its container is held if there is one.
func TestArtifactsNeedAStore(t *testing.T) {
	session := fixture.Session(leaving)
	session.Finalizers = []string{v1alpha1.Finalizer}
	p := pass(t, about(session, classIs(keepsArtifacts), target(fixture.Pod())))
	want{phase: v1alpha1.PhasePending, reason: v1alpha1.ReasonNoAuditStore, says: "keeps artifacts", warns: v1alpha1.ReasonNoAuditStore}.check(t, p)
	p = pass(t, about(session, classIs(keepsArtifacts), target(fixture.Pod()), hasStore))
	want{phase: v1alpha1.PhaseStarting}.check(t, p)
	if size := p.Status.Class.MaxArtifactSize; size == nil || size.Cmp(resource.MustParse("16Mi")) != 0 {
		t.Errorf("granted %v", size)
	}
	started := written(session, p)
	p = pass(t, about(started, target(fixture.Pod())))
	want{phase: v1alpha1.PhaseStarting, reason: v1alpha1.ReasonNoAuditStore, says: "keeps artifacts", warns: v1alpha1.ReasonNoAuditStore}.check(t, p)
	p = pass(t, about(started, target(fixture.Pod()), hasStore))
	if command := strings.Join(p.Actions[len(p.Actions)-1].(plan.InjectDebugger).Container.Command, " "); !strings.Contains(command, `hold='\''300'\''`) {
		t.Errorf("it is not held: %s", command)
	}
}

// runsFor is a session that keeps files and whose debugger runs.
func runsFor(t *testing.T) *v1alpha1.DebugSession {
	t.Helper()
	session := fixture.Session(leaving)
	session.Finalizers = []string{v1alpha1.Finalizer}
	session = written(session, pass(t, about(session, classIs(keepsArtifacts), target(fixture.Pod()), hasStore)))
	return written(session, pass(t, about(session, target(debugged(session, fixture.Running(now))), artifactsAre(false))))
}

// What became of the files is written down when all are settled, and not asked again.
func TestArtifactsAreWrittenDown(t *testing.T) {
	session := runsFor(t)
	pod := debugged(session, fixture.Running(now))
	p := pass(t, about(session, target(pod), artifactsAre(false, keptA)))
	if p.Status.Artifacts != nil {
		t.Errorf("too early: %v", p.Status.Artifacts)
	}
	p = pass(t, about(session, target(pod), artifactsAre(true, missingB, keptA)))
	want{phase: v1alpha1.PhaseActive, warns: v1alpha1.ReasonArtifactsLost}.check(t, p)
	if rows := p.Status.Artifacts; len(rows) != 2 || rows[0] != keptA || rows[1].State != v1alpha1.ArtifactMissing || strings.Contains(rows[1].Message, "\x1b") {
		t.Errorf("written down: %+v", rows)
	}
	settled := written(session, p)
	p = pass(t, about(settled, target(pod), hasStore)) // a question would fail this
	want{phase: v1alpha1.PhaseActive}.check(t, p)
}

// However a session ends, it waits for no file, and says what was kept.
func TestEndWaitsForNoArtifact(t *testing.T) {
	session := runsFor(t)
	for name, end := range map[string]view{
		"deadline": about(session, target(debugged(session, fixture.Running(now))), artifactsAre(false, keptA), at(after(24*time.Hour))),
		"command": about(session, target(debugged(session, fixture.Exited(now, 0, "Completed", ""))), artifactsAre(false, keptA), at(after(time.Minute)),
			func(v *view) { v.output = new(plan.Found("captured")) }),
		"gone": about(session, targetIs(absent()), artifactsAre(false, keptA), at(after(time.Minute))),
	} {
		p := pass(t, end)
		if p.Status.Phase != v1alpha1.PhaseEnding {
			t.Errorf("%s: %s: %s", name, p.Status.Phase, said(p))
			continue
		}
		end.session = written(session, p)
		p = pass(t, end)
		if rows := p.Status.Artifacts; len(rows) != 2 || rows[0] != keptA || rows[1].State != v1alpha1.ArtifactLost {
			t.Errorf("%s: %+v", name, rows)
		}
	}
}

// leavingInCopy is leaving, in a copy.
func leavingInCopy(s *v1alpha1.DebugSession) {
	fixture.AsCopy()(s)
	leaving(s)
}

// A debugger in a copy is held as well, until the copy's own hard deadline at most, and its files are written down as an ephemeral one's.
func TestArtifactsOfACopy(t *testing.T) {
	session := fixture.Session(leavingInCopy)
	session.Finalizers = []string{v1alpha1.Finalizer}
	pod := fixture.Pod()
	session = written(session, pass(t, about(session, classIs(keepsArtifacts), target(pod), copyIs(absent()), hasStore)))
	if session.Status.Debugger.Deadline != nil {
		t.Errorf("it keeps to a deadline that it is told: %s", session.Status.Debugger.Deadline)
	}
	p := pass(t, about(session, target(pod), copyIs(absent()), hasStore))
	create := p.Actions[len(p.Actions)-1].(plan.CreatePod)
	if create.Held != session.Status.Debugger.ContainerName {
		t.Fatalf("%q is held", create.Held)
	}
	made := create.Pod
	command := strings.Join(made.Spec.Containers[len(made.Spec.Containers)-1].Command, " ")
	if hard := fmt.Sprintf("debugsession %d %[1]d", session.Status.HardDeadline.Unix()); !strings.Contains(command, hard) || !strings.Contains(command, `hold='\''300'\''`) {
		t.Errorf("it is not held: %s", command)
	}
	made.UID, made.Status.Phase, made.Spec.NodeName = "uid-of-copy", corev1.PodRunning, "node-1"
	debuggerIs := func(state corev1.ContainerState) *corev1.Pod {
		seen := made.DeepCopy()
		fixture.ContainerState(create.Held, state)(seen)
		return seen
	}
	session = written(session, pass(t, about(session, copied(debuggerIs(fixture.Running(now))), artifactsAre(false))))
	p = pass(t, about(session, copied(debuggerIs(fixture.Running(now))), artifactsAre(true, keptA, missingB)))
	want{phase: v1alpha1.PhaseActive, warns: v1alpha1.ReasonArtifactsLost}.check(t, p)
	session = written(session, p)
	for name, tc := range map[string]struct {
		code  int32
		says  string
		at    time.Time
		state v1alpha1.Outcome
	}{
		"its command's end":     {3, "", after(time.Minute), v1alpha1.OutcomeCompleted},
		"its command's own 124": {124, "", after(time.Minute), v1alpha1.OutcomeCompleted},
		"its hard deadline":     {124, "debugsession: ended at its hard deadline\n", session.Status.HardDeadline.Time, v1alpha1.OutcomeExpired},
	} {
		ended := debuggerIs(fixture.Exited(tc.at, tc.code, "Error", tc.says))
		p := pass(t, about(session, copied(ended), hasStore, at(after(2*time.Minute)), func(v *view) { v.output = new(plan.Found("")) }))
		want{phase: v1alpha1.PhaseEnding, outcome: tc.state}.check(t, p)
		if hard := p.Status.Debugger.StoppedBy == v1alpha1.StoppedByHardDeadline; hard != (tc.state == v1alpha1.OutcomeExpired) {
			t.Errorf("%s: stopped by %q", name, p.Status.Debugger.StoppedBy)
		}
	}
}

// A debugger on a node is held too.
func TestArtifactsOfANode(t *testing.T) {
	session := admittedOnNode(t, leaving, func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Artifacts = nil })
	session.Spec.Debugger.Artifacts = []string{"/tmp/a"}
	p := pass(t, about(session, forNodes, nodeIs(plan.Found(node(nodeUID))), copyIs(absent()), hasStore))
	create, ok := p.Actions[len(p.Actions)-1].(plan.CreatePod)
	if !ok || create.Held != session.Status.Debugger.ContainerName || !strings.Contains(create.Pod.Spec.Containers[0].Command[2], `hold='\''300'\''`) {
		t.Errorf("does %v", p.Actions)
	}
}

// What was approved of a copy that keeps files holds at whatever time it is made: its deadlines are not a part of it.
func TestApprovedCopyThatKeepsFiles(t *testing.T) {
	session := fixture.Session(leavingInCopy)
	session.Finalizers = []string{v1alpha1.Finalizer}
	approvedLater := func(more ...look) plan.Plan {
		class := func(c *v1alpha1.DebugClassSpec) {
			keepsArtifacts(c)
			fixture.Approvals(1)(c)
		}
		return pass(t, about(session, append([]look{classIs(class), target(fixture.Pod()), copyIs(absent()), hasStore}, more...)...))
	}
	p := approvedLater()
	want{phase: v1alpha1.PhaseAwaitingApproval}.check(t, p)
	session = written(session, p)
	approvals := func(v *view) {
		v.approvals = ptr.To(plan.Found([]approval.Approval{{
			DebugApproval: fixture.Approval("bob", session, v1alpha1.DecisionApprove, now), Sealed: true,
		}}))
	}
	p = approvedLater(approvals, at(after(time.Minute)))
	want{phase: v1alpha1.PhaseStarting}.check(t, p)
	session = written(session, p)
	p = approvedLater(approvals, at(after(time.Minute)))
	if create, ok := p.Actions[len(p.Actions)-1].(plan.CreatePod); !ok || create.Held == "" {
		t.Errorf("does %v: %s", p.Actions, said(p))
	}
}
