package plan_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/equality"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// quiet checks that a pass had nothing to say: no write, no event.
func quiet(t tester, before *v1alpha1.DebugSession, p plan.Plan) {
	t.Helper()
	if !equality.Semantic.DeepEqual(before.Status, p.Status) {
		t.Errorf("the status is written again:\n%s", cmp.Diff(before.Status, p.Status))
	}
	if len(p.Events) > 0 {
		t.Errorf("events are sent again: %v", p.Events)
	}
}

// What the API server, the kubelet or a webhook says may be of any length, in any language, and any word.
func TestWhatOthersSayIsMadeToFit(t *testing.T) {
	for name, message := range map[string]string{
		"long":              strings.Repeat("violates PodSecurity ", 1000),
		"long, not English": strings.Repeat("não é permitido; 禁止されています ", 1000),
		"cut in a rune":     strings.Repeat("é", 600),
		"not UTF-8":         "bad \xff\xfe bytes",
	} {
		t.Run(name, func(t *testing.T) {
			session := admitted(t, fixture.Session(), fixture.Pod())
			v := about(session, target(fixture.Pod()))
			p := pass(t, v,
				plan.Result{Action: pass(t, v).Actions[0], Refusal: &plan.Refusal{Reason: v1alpha1.ReasonRefused, Message: message}})
			session = written(session, p)
			pass(t, about(session, target(fixture.Pod()))) // its event, when it has ended
		})
	}
	for _, reason := range []string{"Provider Failed: x", "-", "1st", "ends with-", "é", strings.Repeat("Long", 500)} {
		t.Run(reason[:min(len(reason), 20)], func(t *testing.T) {
			session := admitted(t, fixture.Session(), fixture.Pod())
			p := pass(t, about(session, target(debugged(session, fixture.Waiting(reason, "what it is")))))
			if p.Status.Reason == "" || !strings.Contains(said(p), "what it is") {
				t.Errorf("reason %q: %s", p.Status.Reason, said(p))
			}
		})
	}
}

// A tool that waits for a session by kstatus also sees an edit that an ended session ignores as done.
func TestAnEndedSessionObservesEdits(t *testing.T) {
	session, _ := active(t)
	session = ending(t, session)
	session = written(session, pass(t, about(session, target(debugged(session, fixture.Exited(now, 0, "Completed", ""))))))
	session.Generation++
	p := pass(t, about(session)) // its laws compare kstatus
	if p.Status.ObservedGeneration != session.Generation {
		t.Errorf("observedGeneration is %d", p.Status.ObservedGeneration)
	}
}
