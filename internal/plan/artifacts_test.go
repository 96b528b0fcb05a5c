package plan_test

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"debugsession.dev/operator/api/v1alpha1"
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
