package podexec

import (
	"context"
	"errors"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// ErrBusy is that as many commands run in containers as may.
var ErrBusy = errors.New("too many commands are running in containers")

// Interface runs a command in a container, and returns when it has ended.
type Interface interface {
	Exec(ctx context.Context, pod types.NamespacedName, container string, command []string) error
}

// Container is where a command runs.
type Container struct {
	Pod         types.NamespacedName
	Name        string
	Node        string
	Ineffective bool // the last command there had no effect
}

// Limiter bounds how many commands run in containers. Each holds a worker until it has ended, or is given up: for seconds, if a
// node does not answer, or a debugger's own shell, which may also take its time, say that all is well and do nothing. They
// never hold all of the workers, those on one node no more than it can do with, and those that had no effect before only a
// few, so that nothing else waits for them.
type Limiter struct {
	executor Interface
	workers  int

	mu             sync.Mutex
	running, again int // again: those that had no effect before
	onNode         map[string]int
}

// NewLimiter bounds what an executor does for so many workers.
func NewLimiter(executor Interface, workers int) *Limiter {
	return &Limiter{executor: executor, workers: workers, onNode: map[string]int{}}
}

// Exec runs a command in a container, if there is room for one more. If not it returns ErrBusy.
func (l *Limiter) Exec(ctx context.Context, in Container, command []string) error {
	end, ok := l.begin(in.Node, in.Ineffective)
	if !ok {
		return ErrBusy
	}
	defer end()
	return l.executor.Exec(ctx, in.Pod, in.Name, command)
}

// begin reports whether one more may run on the node, and returns what to do when it has ended.
func (l *Limiter) begin(node string, ineffective bool) (end func(), ok bool) {
	share := func(quarters int) int { return max(l.workers*quarters/4, 1) }
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running >= share(3) || l.onNode[node] >= share(1) || ineffective && l.again >= max(l.workers/8, 1) {
		return nil, false
	}
	l.add(node, ineffective, 1)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.add(node, ineffective, -1)
	}, true
}

func (l *Limiter) add(node string, ineffective bool, n int) {
	l.running += n
	l.onNode[node] += n
	if l.onNode[node] == 0 {
		delete(l.onNode, node)
	}
	if ineffective {
		l.again += n
	}
}
