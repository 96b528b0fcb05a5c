package fakekubelet

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// wrapperName is $0 of the script around a debugger's command. Its first argument is when the debugger ends by itself.
const wrapperName = "debugsession"

// Deadline is when an ephemeral container ends by itself, as the wrapper around its command reads it; zero if it has none.
func Deadline(command []string) (time.Time, error) {
	at := slices.Index(command, wrapperName)
	if at < 0 || at+1 == len(command) {
		return time.Time{}, nil
	}
	return Moment(command[at+1])
}

// MovedTo is the deadline that a command tells the wrapper of a debugger that runs. The last word is it.
func MovedTo(command []string) (time.Time, error) {
	if len(command) == 0 {
		return time.Time{}, fmt.Errorf("no command, and so no deadline")
	}
	return Moment(command[len(command)-1])
}

// Moment is a time as a debugger is told it, in seconds since 1970.
func Moment(seconds string) (time.Time, error) {
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("a deadline of %q: %w", seconds, err)
	}
	return time.Unix(unix, 0), nil
}

// Watchdogs are the wrappers around debuggers' commands. They know of the deadlines that they were told.
type Watchdogs struct {
	mu    sync.Mutex
	moved map[string]time.Time // by pod and container
}

// Move tells a debugger's watchdog of another deadline.
func (w *Watchdogs) Move(pod types.NamespacedName, container string, to time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.moved == nil {
		w.moved = map[string]time.Time{}
	}
	w.moved[pod.String()+"/"+container] = to
}

// Deadline is what a debugger's watchdog was told last, or what it began with; zero if it has no deadline.
func (w *Watchdogs) Deadline(pod *corev1.Pod, container string) (time.Time, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
	if moved, ok := w.moved[name.String()+"/"+container]; ok {
		return moved, nil
	}
	for i := range pod.Spec.EphemeralContainers {
		if c := &pod.Spec.EphemeralContainers[i]; c.Name == container {
			return Deadline(c.Command)
		}
	}
	return time.Time{}, fmt.Errorf("pod %s has no ephemeral container %q", name, container)
}
