package debugsession

import (
	"context"
	"errors"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/exec"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/diagnosis"
	"debugsession.dev/operator/internal/kube/podexec"
	"debugsession.dev/operator/internal/plan"
)

const (
	// stopPause is how long it takes until a debugger is stopped again. It is shorter than the pause after which the plan looks again at
	// one that has not ended.
	stopPause = 10 * time.Second

	// busyPause is the pause before a command is tried again that was not run, as too many others were running.
	busyPause = time.Second
)

// stopDebugger kills the debugger's processes, unless that was done a moment ago: the kubelet takes a second or two to tell that
// a container has ended, more where it has much to do, and every event of its pod meanwhile would have it executed again. Where
// several debuggers of a pod end at once these are many. One that does not answer is not asked again at once either.
func (r *Reconciler) stopDebugger(ctx context.Context, session *v1alpha1.DebugSession, a plan.StopDebugger) plan.Result {
	now := r.Clock.Now()
	if now.Before(r.states.get(session).exec.stoppedAt.Add(stopPause)) {
		return plan.Result{Action: a}
	}
	err := ignoreKilled(r.exec(ctx, session, a.Pod, a.Container, a.Command))
	switch {
	case errors.Is(err, podexec.ErrBusy):
		r.Enqueuer.EnqueueAfter(client.ObjectKeyFromObject(session), busyPause)
		return plan.Result{Action: a}
	case err == nil:
		r.states.setExec(session, execState{stoppedAt: now, ineffective: true}) // unless it ends, and is not told again
	case hasStopped(err):
		r.states.setExec(session, execState{stoppedAt: now})
	case errors.Is(err, context.DeadlineExceeded):
		r.states.setExec(session, execState{stoppedAt: r.Clock.Now(), ineffective: true})
	}
	return classifyExec(a, err)
}

// moveDeadline tells the wrapper around the debugger's command of another deadline. If too many commands are running it is deferred.
func (r *Reconciler) moveDeadline(ctx context.Context, session *v1alpha1.DebugSession, a plan.MoveDeadline) plan.Result {
	err := r.exec(ctx, session, a.Pod, a.Container, a.Command)
	if errors.Is(err, podexec.ErrBusy) {
		r.Enqueuer.EnqueueAfter(client.ObjectKeyFromObject(session), busyPause)
		return plan.Result{Action: a, Deferred: true}
	}
	return classifyExec(a, err)
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

// hasStopped reports whether nothing could be executed because the container has ended, which the kubelet is about to tell. What
// was executed can say anything.
func hasStopped(err error) bool {
	if errors.As(err, new(exec.CodeExitError)) {
		return false
	}
	return diagnosis.ContainerStopped(err.Error())
}

// exec runs a command in a debugger's container, and remembers whether it had an effect.
func (r *Reconciler) exec(ctx context.Context, session *v1alpha1.DebugSession, pod types.NamespacedName, container string, command []string) error {
	last := r.states.get(session).exec
	err := r.Exec.Exec(ctx, podexec.Container{Pod: pod, Name: container, Node: nodeOf(session), Ineffective: last.ineffective}, command)
	if errors.Is(err, podexec.ErrBusy) {
		return err
	}
	if ineffective := errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(exec.CodeExitError)); ineffective != last.ineffective {
		last.ineffective = ineffective
		r.states.setExec(session, last)
	}
	return err
}

// nodeOf is where the session's debugger is.
func nodeOf(session *v1alpha1.DebugSession) string {
	if session.Status.Target == nil {
		return ""
	}
	return session.Status.Target.NodeName
}
