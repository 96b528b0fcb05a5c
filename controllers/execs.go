package controllers

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/exec"

	"debugsession.dev/operator/api/v1alpha1"
)

// errBusy is that as many commands run in containers as may.
var errBusy = errors.New("as many commands are being run in containers as may be at once")

// told is what a session's debugger was last told by a command in its container.
type told struct {
	stopped time.Time // when it was told to end, did not answer, or had ended already
	vain    bool      // the last command ran without effect, or for as long as it was waited for
}

// execs counts the commands that run in containers. Each holds a worker until it has ended, or is given up: for seconds, if a
// node does not answer, or a debugger's own shell, which may also take its time, say that all is well and do nothing. They
// never hold all of the workers, those on one node no more than it can do with, and those that were in vain before only a
// few, so that nothing else waits for them.
type execs struct {
	mu             sync.Mutex
	running, again int
	onNode         map[string]int
}

// begin says whether one more may run on the node, and what to do when it has ended.
func (e *execs) begin(workers int, node string, vain bool) (end func(), ok bool) {
	share := func(quarters int) int { return max(workers*quarters/4, 1) }
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running >= share(3) || e.onNode[node] >= share(1) || vain && e.again >= max(workers/8, 1) {
		return nil, false
	}
	e.add(node, vain, 1)
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.add(node, vain, -1)
	}, true
}

func (e *execs) add(node string, vain bool, n int) {
	if e.onNode == nil {
		e.onNode = map[string]int{}
	}
	e.running += n
	e.onNode[node] += n
	if e.onNode[node] == 0 {
		delete(e.onNode, node)
	}
	if vain {
		e.again += n
	}
}

// exec runs a command in a debugger's container, if there is room for one more.
func (r *DebugSessionReconciler) exec(ctx context.Context, session *v1alpha1.DebugSession, pod types.NamespacedName, container string, command []string) error {
	last := r.told.recall(session)
	end, ok := r.execs.begin(r.Concurrency, nodeOf(session), last.vain)
	if !ok {
		return errBusy
	}
	defer end()
	err := r.Exec.Exec(ctx, pod, container, command)
	if vain := errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(exec.CodeExitError)); vain != last.vain {
		last.vain = vain
		r.told.set(session, last)
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
