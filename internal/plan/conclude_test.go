package plan_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

var errBusy = errors.New("the server is currently unable to handle the request")

// withResult is the pass in which the plan's last action came to this.
func withResult(t *testing.T, v view, result plan.Result) plan.Plan {
	t.Helper()
	actions := pass(t, v).Actions
	if len(actions) == 0 {
		t.Fatal("does nothing")
	}
	result.Action = actions[len(actions)-1]
	return pass(t, v, result)
}

func TestMakingTheDebugger(t *testing.T) {
	refusal := &plan.Refusal{
		Reason:  v1alpha1.ReasonRefused,
		Message: `pods "web" is forbidden: violates PodSecurity "restricted:latest"; use a profile that it allows`,
	}
	for mode, options := range map[string][]fixture.SessionOption{"InjectDebugger": nil, "CreatePod": {fixture.AsCopy()}} {
		session := admitted(t, fixture.Session(options...), fixture.Pod())
		v := about(session, target(fixture.Pod()), copyIs(absent()))
		for name, tc := range map[string]struct {
			result plan.Result
			want   want
		}{
			"worked": {plan.Result{}, want{phase: v1alpha1.PhaseStarting, reason: "Starting", does: mode, wakes: after(plan.StartTimeout)}},
			"refused": {plan.Result{Refusal: refusal},
				want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeRejected, reason: "Refused",
					says: refusal.Message, does: mode}},
			"gone": {plan.Result{Gone: true}, want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeTargetGone, does: mode}},
			"failed": {plan.Result{Err: errBusy}, want{phase: v1alpha1.PhaseStarting, reason: "Retrying", says: errBusy.Error(), does: mode,
				retries: true, warns: "Retrying", wakes: after(plan.StartTimeout)}},
		} {
			t.Run(mode+" "+name, func(t *testing.T) {
				p := withResult(t, v, tc.result)
				tc.want.check(t, p)
				if tc.result.Refusal != nil {
					if c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionAdmissible); c.Status != "False" ||
						c.Reason != "Refused" || p.Status.Message() != refusal.Message {
						t.Errorf("Admissible is %+v", c)
					}
				}
			})
		}
		t.Run(mode+" failed again", func(t *testing.T) {
			session := written(session, withResult(t, v, plan.Result{Err: errBusy}))
			p := withResult(t, about(session, target(fixture.Pod()), copyIs(absent()), at(after(time.Second))), plan.Result{Err: errBusy})
			quiet(t, session, p)
			if p.Retry == nil {
				t.Error("does not try again")
			}
		})
	}
}

// A write has the session looked at at once: one at each failure would leave no pause between the tries.
func TestAccessThatCannotBeGivenIsWrittenDownOnce(t *testing.T) {
	session := admitted(t, fixture.Session(), fixture.Pod())
	v := about(session, target(debugged(session, fixture.Running(now))))
	failed := withResult(t, v, plan.Result{Err: errBusy})
	want{phase: v1alpha1.PhaseStarting, reason: "Retrying", says: errBusy.Error(), does: "GrantAccess", retries: true, warns: "Retrying",
		wakes: session.Status.ExpiresAt.Time}.check(t, failed)
	again := about(written(session, failed), target(debugged(session, fixture.Running(now))), at(after(11*time.Second)))
	p := withResult(t, again, plan.Result{Err: errBusy})
	quiet(t, again.session, p)
	if p.Retry == nil {
		t.Error("does not try again")
	}
}

// What was made before a refusal, or of which that is not known, is looked for before the session says Ended.
func TestARefusalIsNotYetTheEnd(t *testing.T) {
	session := admitted(t, fixture.Session(), fixture.Pod())
	p := withResult(t, about(session, target(fixture.Pod())), plan.Result{Refusal: &plan.Refusal{Reason: "Refused", Message: "no"}})
	session = written(session, p)
	p = pass(t, about(session, target(fixture.Pod()), freshTarget(debugged(session, fixture.Running(now)))))
	want{phase: v1alpha1.PhaseEnding, outcome: v1alpha1.OutcomeRejected, does: "StopDebugger"}.check(t, p)
}

func TestTakingTheDebuggerAway(t *testing.T) {
	session, pod := active(t)
	copySession, made := activeCopy(t)
	for action, v := range map[string]view{
		"StopDebugger": about(ending(t, session), target(pod)),
		"DeletePod":    about(ending(t, copySession), copied(made)),
	} {
		for name, tc := range map[string]struct {
			result plan.Result
			want   want
		}{
			"worked": {plan.Result{}, want{phase: v1alpha1.PhaseEnding, does: action, wakes: soon}},
			"refused": {
				plan.Result{Refusal: &plan.Refusal{Message: "pods/exec is forbidden"}},
				want{phase: v1alpha1.PhaseEnding, does: action, retries: true, warns: "StillRunning"},
			},
			"failed": {plan.Result{Err: errBusy}, want{phase: v1alpha1.PhaseEnding, does: action, retries: true, warns: "StillRunning"}},
			// not at once: a node may say so for long
			"gone": {plan.Result{Gone: true}, want{phase: v1alpha1.PhaseEnding, does: action, wakes: after(time.Second)}},
		} {
			t.Run(action+" "+name, func(t *testing.T) {
				p := withResult(t, v, tc.result)
				tc.want.check(t, p)
				if tc.result.Err == nil && tc.result.Refusal == nil {
					return
				}
				if c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionDebuggerReady); c.Reason != "StillRunning" {
					t.Errorf("says %s: %s", c.Reason, c.Message)
				}
				again := v
				again.session = written(v.session, p)
				quiet(t, again.session, withResult(t, again, tc.result))
			})
		}
	}
}

func TestFinalizers(t *testing.T) {
	adding := about(fixture.Session(), targetIs(absent()))
	session, _ := active(t)
	session = ending(t, session)
	removing := about(written(session, pass(t, about(session, targetIs(absent())))))
	for name, v := range map[string]view{"AddFinalizer": adding, "RemoveFinalizer": removing} {
		t.Run(name, func(t *testing.T) {
			if p := withResult(t, v, plan.Result{Err: errBusy}); !errors.Is(p.Retry, errBusy) {
				t.Errorf("retries %v", p.Retry)
			}
			if p := withResult(t, v, plan.Result{}); p.Retry != nil {
				t.Errorf("retries %v", p.Retry)
			}
		})
	}
}

// plain is an action of which nothing special follows, with the effect of another.
type plain struct{ plan.Action }

// ownConclusions has each action that Conclude treats by itself.
var ownConclusions = map[string]plan.Action{
	"GrantAccess": plan.GrantAccess{}, "MoveDeadline": plan.MoveDeadline{}, "ReplaceOriginal": plan.ReplaceOriginal{},
	"StopDebugger": plan.StopDebugger{}, "CreateMember": plan.CreateMember{Session: fixture.Session()}, "CreatePod": plan.CreatePod{Pod: fixture.Pod()},
}

// Whatever its kind, an action that failed, was refused or found nothing is not forgotten: it is tried again, ends the session, or is looked
// after soon. Only of an original that has gone nothing follows, which is what was wanted, and of a debugger that has gone whose deadline is
// moved, as the watch is about to tell.
func TestNoFailedActionIsForgotten(t *testing.T) {
	actions := []plan.Action{plain{plan.MoveDeadline{}}, plain{plan.AddFinalizer{}}, plain{plan.CreatePod{Pod: fixture.Pod()}}, plain{plan.DeletePod{}}}
	effects := map[plan.Effect]bool{}
	for _, action := range actions {
		effects[plan.EffectOf(action)] = true
	}
	for effect := plan.Creates; effect <= plan.Bookkeeping; effect++ {
		if !effects[effect] {
			t.Errorf("no action of effect %d is tried", effect)
		}
	}
	for name := range concludedByThemselves(t) {
		action, known := ownConclusions[name]
		if !known {
			t.Errorf("%s concludes by itself: add it to ownConclusions, in this file", name)
			continue
		}
		actions = append(actions, action)
	}
	session, pod := active(t)
	for _, action := range actions {
		for name, result := range map[string]plan.Result{
			"failed": {Err: errBusy}, "refused": {Refusal: &plan.Refusal{Reason: "Refused", Message: "no"}}, "gone": {Gone: true},
		} {
			result.Action = action
			switch action.(type) {
			case plan.MoveDeadline, plan.ReplaceOriginal:
				if result.Gone {
					continue
				}
			}
			p := pass(t, about(session, target(pod)), result)
			soon := !p.WakeAt.IsZero() && p.WakeAt.Sub(now) <= time.Second
			if p.Retry == nil && p.Status.Phase != v1alpha1.PhaseEnding && (name == "failed" || !soon) {
				t.Errorf("%T %s, and that is forgotten", action, name)
			}
		}
	}
}

// concludedByThemselves is the actions that have a case in Conclude.
func concludedByThemselves(t *testing.T) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "conclude.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if decl, ok := n.(*ast.FuncDecl); ok {
			return decl.Name.Name == "Conclude"
		}
		if clause, ok := n.(*ast.CaseClause); ok {
			for _, of := range clause.List {
				if name, ok := of.(*ast.Ident); ok {
					names[name.Name] = true
				}
			}
		}
		return true
	})
	if len(names) == 0 {
		t.Fatal("Conclude has no cases")
	}
	return names
}
