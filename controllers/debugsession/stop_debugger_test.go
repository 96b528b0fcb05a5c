package debugsession

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/exec"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/kube/podexec"
	"debugsession.dev/operator/internal/plan"
)

// executed counts what is executed, and answers with err.
type executed struct {
	count int
	err   error
}

func (e *executed) Exec(context.Context, types.NamespacedName, string, []string) error {
	e.count++
	return e.err
}

func TestADebuggerIsNotToldAgainAtEveryEvent(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(fixture.Created)
	exec := &executed{err: errors.New("the node does not answer")}
	r := &Reconciler{Clock: clock, Exec: podexec.NewLimiter(exec, 1)}
	session := fixture.Session()
	stop := func(after time.Duration, want int, why string) {
		t.Helper()
		clock.SetTime(fixture.Created.Add(after))
		if result := r.stopDebugger(t.Context(), session, plan.StopDebugger{}); result.Err != nil && exec.err == nil {
			t.Errorf("%s: %v", why, result.Err)
		}
		if exec.count != want {
			t.Errorf("%s: executed %d times, want %d", why, exec.count, want)
		}
	}
	stop(0, 1, "the first time")
	stop(0, 2, "it failed, and is tried again at once")
	exec.err = nil
	stop(time.Second, 3, "it is done")
	stop(2*time.Second, 3, "an event of its pod")
	stop(16*time.Second, 4, "it resists")
	exec.err = errors.New(`unable to upgrade connection: container not found ("debugger")`)
	stop(27*time.Second, 5, "it has ended")
	stop(28*time.Second, 5, "an event of its pod, which does not tell that yet")
	session.UID = fixture.OtherUID
	stop(29*time.Second, 6, "another session of its name")
	r.states.forget(client.ObjectKeyFromObject(session))
	stop(30*time.Second, 7, "forgotten")
}

func TestWhatCannotBeExecutedForTheContainerHasEnded(t *testing.T) {
	for words, gone := range map[string]bool{
		`unable to upgrade connection: container not found ("debugger-qw1sq6cs")`:                 true,
		`failed to exec in container: failed to create exec "0a": cannot exec in a stopped state`: true,
		`dial tcp 10.244.0.1:10250: connect: connection refused`:                                  false,
		`unable to upgrade connection: pod does not exist`:                                        false,
	} {
		result := classifyExec(plan.StopDebugger{}, errors.New(words))
		if result.Gone != gone || (result.Err != nil) == gone {
			t.Errorf("%q: %+v", words, result)
		}
		if result := classify(plan.CreatePod{}, errors.New(words)); result.Gone {
			t.Errorf("%q is about a container that is stopped, and not about a pod that is created", words)
		}
		said := fmt.Errorf("%w: %s", exec.CodeExitError{Err: errors.New("exit code 1"), Code: 1}, words)
		if result := classifyExec(plan.StopDebugger{}, said); result.Gone || result.Err == nil {
			t.Errorf("%q is what the container itself says: %+v", words, result)
		}
	}
}

// The whole of a pass is one worker's. What does not answer holds it for as long as that is waited for.
func TestWhatDoesNotAnswerHoldsFewWorkers(t *testing.T) {
	const workers = 8
	clock := clocktesting.NewFakePassiveClock(fixture.Created)
	r := &Reconciler{Clock: clock, Enqueuer: &Enqueuer{}}
	sessions := onNodesOfTheirOwn(2 * workers)
	stop := func(session *v1alpha1.DebugSession) { r.stopDebugger(t.Context(), session, plan.StopDebugger{}) }
	for round, want := range []int{
		6, // of sixteen that never were told anything
		6, // of the other ten
		4, // of the rest, and none again so soon
	} {
		if count := held(r, workers, sessions, stop); count != want {
			t.Errorf("round %d: %d of %d workers wait", round, count, workers)
		}
	}
	clock.SetTime(fixture.Created.Add(time.Hour))
	if count := held(r, workers, sessions, stop); count != 1 {
		t.Errorf("%d of %d workers wait for those that have not answered before", count, workers)
	}
}

// A shell that is its owner's may take its time, say that all is well, and end nothing.
func TestWhatHasHadNoEffectHoldsFewWorkers(t *testing.T) {
	const workers = 8
	slow := exec.CodeExitError{Err: errors.New("exit code 1"), Code: 1}
	stop := func(r *Reconciler, session *v1alpha1.DebugSession) {
		r.stopDebugger(t.Context(), session, plan.StopDebugger{})
	}
	extend := func(r *Reconciler, session *v1alpha1.DebugSession) {
		r.perform(t.Context(), session, plan.MoveDeadline{})
	}
	for name, tc := range map[string]struct {
		err  error
		does func(*Reconciler, *v1alpha1.DebugSession)
		want int // of so many that have been told before
	}{
		"ended nothing":              {nil, stop, 1},
		"ended nothing, and says so": {slow, stop, 1},
		"did not hear":               {slow, extend, 1},
		"heard":                      {nil, extend, 6},
		"could not be reached":       {errors.New("connection refused"), stop, 6},
	} {
		t.Run(name, func(t *testing.T) {
			clock := clocktesting.NewFakePassiveClock(fixture.Created)
			r := &Reconciler{Clock: clock, Exec: podexec.NewLimiter(&executed{err: tc.err}, workers), Enqueuer: &Enqueuer{}}
			sessions := onNodesOfTheirOwn(2 * workers)
			for _, session := range sessions {
				tc.does(r, session)
			}
			clock.SetTime(fixture.Created.Add(time.Hour))
			held := held(r, workers, sessions, func(session *v1alpha1.DebugSession) { tc.does(r, session) })
			if held != tc.want {
				t.Errorf("%d of %d workers wait, want %d", held, workers, tc.want)
			}
		})
	}
}

// onNodesOfTheirOwn are sessions of which no two are on one node.
func onNodesOfTheirOwn(n int) []*v1alpha1.DebugSession {
	sessions := make([]*v1alpha1.DebugSession, n)
	for i := range sessions {
		sessions[i] = fixture.Session()
		sessions[i].Name, sessions[i].Status.Target = fmt.Sprint("hang-", i), &v1alpha1.TargetStatus{NodeName: fmt.Sprint("node-", i)}
	}
	return sessions
}

// held does something for all sessions at once while no node answers, and returns how many workers wait for that.
func held(r *Reconciler, workers int, sessions []*v1alpha1.DebugSession, do func(*v1alpha1.DebugSession)) (count int) {
	hang, passed := &hanging{started: make(chan struct{}), release: make(chan struct{})}, make(chan struct{})
	r.Exec = podexec.NewLimiter(hang, workers)
	for _, session := range sessions {
		go func() {
			do(session)
			passed <- struct{}{}
		}()
	}
	for range sessions { // each hangs, or has passed
		select {
		case <-hang.started:
			count++
		case <-passed:
		}
	}
	close(hang.release)
	for range count {
		<-passed
	}
	return count
}

// hanging is a node that does not answer.
type hanging struct {
	started, release chan struct{}
}

func (h *hanging) Exec(context.Context, types.NamespacedName, string, []string) error {
	h.started <- struct{}{}
	<-h.release
	return fmt.Errorf("it was given up: %w", context.DeadlineExceeded)
}
