package controllers

import (
	"context"
	"errors"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/exec"

	"debugsession.dev/operator/api/v1alpha1"
)

// errBusy is that as many commands run in containers as may.
var errBusy = errors.New("as many commands are being run in containers as may be at once")

// execLimiter counts the commands that run in containers. Each holds a worker until it has ended, or is given up: for seconds, if a
// node does not answer, or a debugger's own shell, which may also take its time, say that all is well and do nothing. They
// never hold all of the workers, those on one node no more than it can do with, and those that had no effect before only a
// few, so that nothing else waits for them.
type execLimiter struct {
	mu             sync.Mutex
	running, again int // again: those that had no effect before
	onNode         map[string]int
}

// begin reports whether one more may run on the node, and returns what to do when it has ended.
func (e *execLimiter) begin(workers int, node string, ineffective bool) (end func(), ok bool) {
	share := func(quarters int) int { return max(workers*quarters/4, 1) }
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running >= share(3) || e.onNode[node] >= share(1) || ineffective && e.again >= max(workers/8, 1) {
		return nil, false
	}
	e.add(node, ineffective, 1)
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.add(node, ineffective, -1)
	}, true
}

func (e *execLimiter) add(node string, ineffective bool, n int) {
	if e.onNode == nil {
		e.onNode = map[string]int{}
	}
	e.running += n
	e.onNode[node] += n
	if e.onNode[node] == 0 {
		delete(e.onNode, node)
	}
	if ineffective {
		e.again += n
	}
}

// exec runs a command in a debugger's container, if there is room for one more.
func (r *DebugSessionReconciler) exec(ctx context.Context, session *v1alpha1.DebugSession, pod types.NamespacedName, container string, command []string) error {
	last := r.states.get(session).exec
	end, ok := r.execs.begin(r.Concurrency, nodeOf(session), last.ineffective)
	if !ok {
		return errBusy
	}
	defer end()
	err := r.Exec.Exec(ctx, pod, container, command)
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
