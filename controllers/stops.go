package controllers

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/util/exec"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
)

// stopAgain is how long after a debugger was told to end it is not told again. It is shorter than the pause after which the plan
// looks again at one that resists.
const stopAgain = 10 * time.Second

// stopDebugger ends the debugger's processes, unless that was done a moment ago: the kubelet takes a second or two to tell that
// a container has ended, and every event of its pod meanwhile would have it executed again. Where several debuggers of a
// pod end at once these are many.
func (r *DebugSessionReconciler) stopDebugger(ctx context.Context, session *v1alpha1.DebugSession, a plan.StopDebugger) plan.Result {
	now := r.Clock.Now()
	if now.Before(r.stops.recall(session).Add(stopAgain)) {
		return plan.Result{Action: a}
	}
	err := ignoreKilled(r.Exec.Exec(ctx, a.Pod, a.Container, a.Command))
	if err == nil {
		r.stops.set(session, now)
	}
	return classify(a, err)
}

// ignoreKilled takes it for no error that what was executed was killed: it ends every process of its container, and may well end
// with them.
func ignoreKilled(err error) error {
	var exit exec.CodeExitError
	if errors.As(err, &exit) && exit.Code == 128+int(syscall.SIGKILL) {
		return nil
	}
	return err
}

// hasStopped says whether nothing could be executed because the container has ended, which the kubelet is about to tell. What
// was executed can say anything.
func hasStopped(err error) bool {
	if errors.As(err, new(exec.CodeExitError)) {
		return false
	}
	words := err.Error()
	return strings.Contains(words, "container not found") || strings.Contains(words, "cannot exec in a stopped")
}
