// Package podwatch watches the pods that sessions are debugging, and those of which they wait for one to crash, and no others.
//
// The law:
//
//   - Cost follows the sessions, not the cluster. Each pod that at least one session is interested in has one watch, with a
//     field selector on its name; sessions that debug the same pod share it; the last one out stops it. Nothing is held of
//     any other pod, however many there are. Sessions that wait for one of many pods have one watch for all that have the same
//     labels, in the same way.
//   - Where many pods of one namespace are watched, one stream of all its pods takes the place of theirs, as long as it costs less:
//     see [group].
//   - A watch is one request. The API server streams what there is and then what changes (a streaming list). Where it
//     refuses to, the pod is listed first and watched from there: two requests, or three with the refused one. That there is no
//     such pod takes one more, or two.
//   - Absent is not unknown. That there is no such pod is said only when the API server has said so, having made sure.
//   - What is unknown is never made up for by what was known. While the API server refuses the watch or does not answer it,
//     the error is given, and not the pod as it last was.
//   - No stream is trusted for ever. One that does not begin within [syncTimeout], or does not end when it was to end, is
//     given up and begun anew, and each but the first begins with the whole truth. The first begins with what the API server has at hand,
//     which is there at once and may be a little old. So there are no resource versions to keep, to find expired, or to go back in time with.
package podwatch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
)

var (
	errStopped      = errors.New("the operator is stopping: its watches have ended")
	errStartedTwice = errors.New("the pod watcher was already started: a Watcher can be started only once")
)

// Watcher holds one watch for each pod that a session is interested in, or one for many. Its methods may be called from many goroutines.
type Watcher struct {
	pods   corev1client.CoreV1Interface // for the stream of one watch
	many   corev1client.CoreV1Interface // for that of a group
	notify func(session types.NamespacedName)
	turns  turns

	mu       sync.Mutex
	ctx      context.Context // of the watches: nil until Start
	stopped  bool
	running  sync.WaitGroup
	watches  map[selection]*podWatch
	sessions map[types.NamespacedName]*podWatch // by session
	crowds   map[string]*crowd                  // by namespace
	tidies   bool                               // soon
}

// selection is what one watch is of: the pod of that name, or the pods that a label selector selects.
type selection struct{ namespace, name, labels string }

func (s selection) String() string {
	if s.name != "" {
		return fmt.Sprintf("pod %s/%s", s.namespace, s.name)
	}
	return fmt.Sprintf("the pods of namespace %s with %s", s.namespace, s.labels)
}

// podWatch is one watch. Its fields are guarded by the Watcher's lock.
type podWatch struct {
	of       selection
	sessions map[types.NamespacedName]struct{}
	source   *source // nil until it runs
	seen     view
	steady   bool // whether nothing of it was news since the namespace's group has begun its stream
}

// source is who tells of a watch's pods: a stream of its own, or that of a group.
type source struct {
	stop context.CancelFunc // nil: a group's
}

// view is what is known of the pods of a watch. Its zero value is: nothing yet.
type view struct {
	known bool
	pods  []*packedPod // by name; empty although known: there are none
	err   error        // why nothing is known
}

// same tells whether a session would see no difference.
func (v view) same(other view) bool {
	if v.known != other.known || (v.err == nil) != (other.err == nil) || v.err != nil && v.err.Error() != other.err.Error() {
		return false
	}
	return slices.EqualFunc(v.pods, other.pods, func(a, b *packedPod) bool { return a.resourceVersion == b.resourceVersion })
}

// New returns a Watcher that knows nothing yet. It may be asked at once; it watches once it is started.
//
// notify is called for every session that is interested in a pod when the pod is first known, when it changes, comes or
// goes, and when it becomes unknown or known again. It must not block. It may still be called once for a session that has
// just been released.
func New(clients *Clients, notify func(session types.NamespacedName)) *Watcher {
	return &Watcher{
		pods:     clients.one,
		many:     clients.many,
		notify:   notify,
		turns:    make(turns, atOnce),
		watches:  map[selection]*podWatch{},
		sessions: map[types.NamespacedName]*podWatch{},
		crowds:   map[string]*crowd{},
	}
}

// Start watches until ctx is done, and returns when every watch has ended. A Watcher can be started once.
func (w *Watcher) Start(ctx context.Context) error {
	w.mu.Lock()
	if w.ctx != nil {
		w.mu.Unlock()
		return errStartedTwice
	}
	w.ctx = ctx
	for _, pw := range w.watches {
		if !w.holds(pw) {
			w.run(pw, atHand)
		}
	}
	w.gatherHeld()
	w.mu.Unlock()

	<-ctx.Done()

	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.running.Wait()
	return nil
}

// NeedLeaderElection is true: only the operator that acts has sessions to watch pods for.
func (*Watcher) NeedLeaderElection() bool { return true }

// Get returns a pod as last seen, and has the session told from then on when it changes. A session is interested in one pod, or in the
// pods of one selector, at most: asking for another releases the first.
//
//   - known, with a pod. It has neither managedFields nor the annotation of kubectl apply, and of what its ephemeral containers run
//     nothing but the length.
//   - known, without a pod: there is no such pod.
//   - neither known nor an error: it was not seen yet; notify will be called.
//   - an error: the API server refuses the watch or cannot be reached, and nothing is known; it is tried again, and notify
//     will be called when that changes. An error after the Watcher was stopped is final.
func (w *Watcher) Get(session, pod types.NamespacedName) (p *corev1.Pod, known bool, err error) {
	pods, known, err := w.get(session, selection{namespace: pod.Namespace, name: pod.Name})
	if len(pods) == 0 {
		return nil, known, err
	}
	return &pods[0], known, err
}

// List is Get for the pods of the namespace that a label selector selects, in the order of their names. It must be as
// labels.Selector's String has it.
func (w *Watcher) List(session types.NamespacedName, namespace, labels string) (pods []corev1.Pod, known bool, err error) {
	return w.get(session, selection{namespace: namespace, labels: labels})
}

func (w *Watcher) get(session types.NamespacedName, of selection) (pods []corev1.Pod, known bool, err error) {
	seen := w.seen(session, of)
	for _, packed := range seen.pods {
		var pod *corev1.Pod
		if pod, seen.err = packed.unpack(); seen.err != nil {
			break
		}
		pods = append(pods, *pod)
	}
	if seen.err != nil {
		return nil, false, fmt.Errorf("watching %s: %w", of, seen.err)
	}
	return pods, seen.known, nil
}

// seen is what was seen of a selection, which the session is interested in from then on.
func (w *Watcher) seen(session types.NamespacedName, of selection) view {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return view{err: errStopped}
	}
	pw := w.sessions[session]
	if pw == nil || pw.of != of {
		w.release(session)
		pw = w.subscribe(session, of)
		w.hurry(pw)
	}
	return pw.seen
}

// Release ends a session's interest in its pod or pods, if it has any. The last session to be released stops the watch.
func (w *Watcher) Release(session types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.release(session)
}

// Len returns how many pods and selectors are watched whose state is known.
func (w *Watcher) Len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, pw := range w.watches {
		if pw.seen.known {
			n++
		}
	}
	return n
}

// subscribe makes a session interested in a selection, which nobody may tell of yet. The lock is held.
func (w *Watcher) subscribe(session types.NamespacedName, of selection) *podWatch {
	pw := w.watches[of]
	if pw == nil {
		pw = &podWatch{of: of, sessions: map[types.NamespacedName]struct{}{}}
		w.watches[of] = pw
	}
	pw.sessions[session] = struct{}{}
	w.sessions[session] = pw
	return pw
}

// release is Release, with the lock held.
func (w *Watcher) release(session types.NamespacedName) {
	pw := w.sessions[session]
	if pw == nil {
		return
	}
	delete(w.sessions, session)
	delete(pw.sessions, session)
	if len(pw.sessions) > 0 {
		return
	}
	delete(w.watches, pw.of)
	w.leave(pw)
}

// leave ends what tells of a watch that was released. The lock is held.
func (w *Watcher) leave(pw *podWatch) {
	if pw.source != nil && pw.source.stop != nil {
		w.end(pw)
	}
	if c := w.crowds[pw.of.namespace]; c != nil {
		delete(c.held, pw)
		if c.group != nil {
			c.group.forget(pw)
		}
	}
	w.disperse(pw.of.namespace)
}

// run gives a watch a stream of its own. The lock is held.
func (w *Watcher) run(pw *podWatch, since string) {
	ctx, stop := context.WithCancel(w.ctx)
	from := &source{stop}
	pw.source = from
	w.running.Go(func() {
		defer stop()
		pods := &podClient{PodInterface: w.pods.Pods(pw.of.namespace), rest: w.pods.RESTClient(), of: pw.of, turns: w.turns}
		_ = follow(ctx, pods, since, &watched{report: func(now view) { w.saw(pw, from, now) }})
	})
	if pw.of.name != "" {
		w.come(pw.of.namespace)
	}
}

// end ends a watch's own stream. The lock is held.
func (w *Watcher) end(pw *podWatch) {
	pw.source.stop()
	if pw.of.name != "" {
		w.crowds[pw.of.namespace].alone--
	}
}

// saw keeps what a watch's own stream knows of its pods and tells its sessions, if it is news. The watch may have been released meanwhile, or a
// group tells of it: then the stream has nothing to say.
func (w *Watcher) saw(pw *podWatch, from *source, now view) {
	w.tell(func() []types.NamespacedName {
		if pw.source != from {
			return nil
		}
		return append(pw.keep(now), w.join(pw)...)
	})
}

// keep keeps what is known of a watch's pods, and returns whom to tell. The lock is held.
func (pw *podWatch) keep(now view) (tell []types.NamespacedName) {
	if !now.same(pw.seen) {
		tell = slices.Collect(maps.Keys(pw.sessions))
		pw.steady = false
	}
	pw.seen = now
	return tell
}

// tell does something with the lock held, and then tells the sessions that it returns, without.
func (w *Watcher) tell(do func() []types.NamespacedName) {
	w.mu.Lock()
	sessions := do()
	w.mu.Unlock()
	for _, session := range sessions {
		w.notify(session)
	}
}

// watched is the audience of a watch's own stream.
type watched struct {
	report func(view)
	pods   []*packedPod // by name
}

func (a *watched) begin() error {
	a.pods = nil
	return nil
}

func (a *watched) see(pod *corev1.Pod) error {
	packed, err := pack(pod)
	if err != nil {
		return err
	}
	a.lose(packed.name)
	at, _ := slices.BinarySearchFunc(a.pods, packed, func(a, b *packedPod) int { return strings.Compare(a.name, b.name) })
	a.pods = slices.Insert(a.pods, at, packed)
	return nil
}

// lose leaves the pods that were reported as they are.
func (a *watched) lose(name string) {
	a.pods = slices.DeleteFunc(slices.Clone(a.pods), func(p *packedPod) bool { return p.name == name })
}

func (a *watched) none() bool { return len(a.pods) == 0 }

func (a *watched) know() { a.report(view{known: true, pods: a.pods}) }

func (a *watched) fail(err error) error {
	a.report(view{err: err})
	return nil
}
