package podwatch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// groupFrom is how many pods of a namespace have streams of their own until one for all of them is tried. Half as many keep one.
	groupFrom = 32

	// gatherFor is how long is waited for more pods before that: a start has all its sessions come at once.
	gatherFor = time.Second

	// regatherAfter is how long a group's stream lasts at least before it is begun anew for pods that have come since.
	regatherAfter = 30 * time.Second

	// othersPerMember is how many bytes of other pods a group's stream may bring for each pod that it is for. A stream of its own would take more
	// than that of this process's memory.
	othersPerMember = 16 << 10

	// heldFor is how long pods that were expected wait for a group at most.
	heldFor = 10 * time.Second

	// tidyAfter is how long after pods have changed over to a group the memory of their streams is given back.
	tidyAfter = time.Second

	// failsApart is how often in a row a group's stream may fail to begin. What is refused or too slow for all may work for each.
	failsApart = 2

	// apartFor is how long a namespace has no group after one that was not worth it, unless it has twice as many pods by then, or none in between.
	apartFor = time.Hour
)

// errFew is why a group has become too small.
var errFew = fmt.Errorf("%w: too few are left", errApart)

// crowd are the pods of a namespace that are watched. Its fields are guarded by the Watcher's lock.
type crowd struct {
	alone int                    // how many have streams of their own
	held  map[*podWatch]struct{} // those that wait for a group, and have none
	call  *time.Timer            // gathers those that are alone; nil: none does
	group *group                 // nil: there is none

	apart  time.Time // until when there is none,
	enough int       // unless so many have streams of their own
}

// group is one stream of all the pods of a namespace, of which it keeps those that are watched:
//
//   - A pod has a stream of its own first, so that nobody waits for a group. The group's begins with the latest, and a pod changes over to it
//     when both know the same state of it, or both that it is not there and was not when the group's began. So nothing that was seen is followed
//     by what was before it.
//   - Those that were expected have none: they wait for the group, which tells of them first, and get one if it does not in time, or if
//     somebody hurries.
//   - Pods that come later keep their own until the group's stream is begun anew, as each is after some minutes, and sooner if they are many.
//   - A group is dissolved that was brought too much of other pods, whose stream cannot begin, or that has become small by the time it is
//     begun anew. Its pods get streams of their own, which begin with the latest.
//
// Its fields are guarded by the Watcher's lock.
type group struct {
	w         *Watcher
	namespace string
	source    *source
	again     context.CancelFunc // ends the stream, so that the next one begins

	began   time.Time
	members map[string]*podWatch // whose pods it keeps, by the pod's name
	others  int                  // how many bytes of other pods may still come
	failed  int                  // how often in a row it could not begin

	seen   map[string]*packedPod
	synced bool     // whether that is how things are
	called bool     // whether others were gathered before
	news   []string // of which pods the audience does not know yet
}

// crowdOf are the pods of a namespace. The lock is held.
func (w *Watcher) crowdOf(namespace string) *crowd {
	c := w.crowds[namespace]
	if c == nil {
		c = &crowd{held: map[*podWatch]struct{}{}}
		w.crowds[namespace] = c
	}
	return c
}

// come is called when a pod's watch was given a stream of its own. The lock is held.
func (w *Watcher) come(namespace string) {
	c := w.crowdOf(namespace)
	c.alone++
	if c.alone == c.enough {
		c.cancel()
	}
	w.call(namespace, c)
}

// Expect has the pods of sessions, by the session, watched as Get would, where nobody needs to know of them at once: as after a restart. Where
// they are enough for a group it tells of them, so that each need not have a stream of its own first. It is called once, before the
// Watcher is started or after.
func (w *Watcher) Expect(pods map[types.NamespacedName]types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return
	}
	for session, pod := range pods {
		if w.sessions[session] != nil {
			continue
		}
		of := selection{namespace: pod.Namespace, name: pod.Name}
		_, watched := w.watches[of]
		if pw := w.subscribe(session, of); !watched {
			w.crowdOf(pod.Namespace).held[pw] = struct{}{}
		}
	}
	if w.ctx != nil {
		w.gatherHeld()
	}
}

// gatherHeld has groups begin for those that are held, or gives them streams of their own where they are few. The lock is held.
func (w *Watcher) gatherHeld() {
	for namespace, c := range w.crowds {
		switch {
		case len(c.held) == 0:
		case c.group == nil && len(c.held) >= groupFrom:
			w.form(namespace, c)
			time.AfterFunc(heldFor, func() {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.letGo(c)
			})
		default:
			w.letGo(c)
		}
	}
}

// Hurry has a session that does not only run any more not wait for a group.
func (w *Watcher) Hurry(session types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if pw := w.sessions[session]; pw != nil && !w.stopped {
		w.hurry(pw)
	}
}

// hurry has a watch not wait for a group any more, as somebody does for its pod. The lock is held.
func (w *Watcher) hurry(pw *podWatch) {
	if c := w.crowds[pw.of.namespace]; c != nil {
		delete(c.held, pw)
	}
	if w.ctx != nil && pw.source == nil {
		w.run(pw, atHand)
	}
}

// holds reports whether a watch waits for a group. The lock is held.
func (w *Watcher) holds(pw *podWatch) bool {
	c := w.crowds[pw.of.namespace]
	if c == nil {
		return false
	}
	_, held := c.held[pw]
	return held
}

// letGo gives those that are held streams of their own. The lock is held.
func (w *Watcher) letGo(c *crowd) {
	if w.stopped {
		return
	}
	for pw := range c.held {
		w.hurry(pw)
	}
}

// call has the pods of a namespace gathered, once they are enough. The lock is held.
func (w *Watcher) call(namespace string, c *crowd) {
	if c.alone < groupFrom || c.call != nil {
		return
	}
	var call *time.Timer
	call = time.AfterFunc(max(gatherFor, time.Until(c.earliest())), func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if c.call == call { // else it was cancelled as it fired
			c.call = nil
			w.gather(namespace, c)
		}
	})
	c.call = call
}

func (c *crowd) cancel() {
	if c.call != nil {
		c.call.Stop()
		c.call = nil
	}
}

// earliest is before when nobody is gathered.
func (c *crowd) earliest() time.Time {
	switch {
	case c.group != nil:
		return c.group.began.Add(regatherAfter)
	case c.alone >= c.enough:
		return time.Time{}
	default:
		return c.apart
	}
}

// disperse forgets a namespace in which no pod is watched. The lock is held.
func (w *Watcher) disperse(namespace string) {
	if c := w.crowds[namespace]; c != nil && c.alone == 0 && len(c.held) == 0 && c.group == nil {
		c.cancel()
		delete(w.crowds, namespace)
	}
}

// gather begins a group in a namespace, or its stream anew, if there are still as many that have streams of their own. The lock is held.
func (w *Watcher) gather(namespace string, c *crowd) {
	switch {
	case w.stopped || c.alone < groupFrom:
	case time.Now().Before(c.earliest()):
		w.call(namespace, c)
	case c.group != nil && !c.group.synced: // what it has brought would be brought again
		c.group.called = true
	case c.group != nil:
		c.group.again()
	default:
		w.form(namespace, c)
	}
}

// form begins a group. The lock is held.
func (w *Watcher) form(namespace string, c *crowd) {
	c.group = &group{w: w, namespace: namespace, source: &source{}, again: func() {}}
	w.running.Go(c.group.run)
}

// join has a watch be told by the group of its namespace from now on, if both know the same of its pod, and returns whom to tell. The lock is
// held.
func (w *Watcher) join(pw *podWatch) (tell []types.NamespacedName) {
	c := w.crowds[pw.of.namespace]
	if c == nil || c.group == nil || !c.group.knows(pw) {
		return nil
	}
	delete(c.held, pw)
	if pw.source != nil {
		w.end(pw)
	}
	pw.source = c.group.source
	return pw.keep(c.group.view(pw.of.name))
}

// knows reports whether what the group knows of a watch's pod is no less than what its own stream does. Of a pod that is not there that is
// so only if nothing was heard of it since the group's stream began: it may have come and gone meanwhile, and the group be told of that yet. The
// lock is held.
func (g *group) knows(pw *podWatch) bool {
	if !g.synced || g.members[pw.of.name] != pw {
		return false
	}
	now, nothing := g.view(pw.of.name), view{}
	switch {
	case pw.seen.same(nothing):
		return true
	case len(now.pods) == 0 && !pw.steady:
		return false
	default:
		return pw.seen.same(now)
	}
}

// tidySoon gives the memory of streams that have ended back to the system. What a start took would else stay until garbage is collected, which in
// a process that has become quiet is minutes later. The lock is held.
func (w *Watcher) tidySoon() {
	if w.tidies {
		return
	}
	w.tidies = true
	time.AfterFunc(tidyAfter, func() {
		debug.FreeOSMemory()
		w.mu.Lock()
		w.tidies = false
		w.mu.Unlock()
	})
}

// run keeps the group's stream open until it is dissolved.
func (g *group) run() {
	pods := &podClient{
		PodInterface: g.w.many.Pods(g.namespace), rest: g.w.many.RESTClient(), of: selection{namespace: g.namespace}, streamsOnly: true,
	}
	for {
		ctx, again := context.WithCancel(g.w.ctx)
		g.w.mu.Lock()
		g.again = again
		g.w.mu.Unlock()
		err := follow(ctx, pods, latest, g)
		again()
		if errors.Is(err, errApart) || g.w.ctx.Err() != nil {
			g.dissolve(err)
			return
		}
	}
}

// dissolve gives each member a stream of its own.
func (g *group) dissolve(err error) {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	c := g.w.crowds[g.namespace]
	c.group = nil
	c.cancel()
	if !errors.Is(err, errFew) {
		c.apart, c.enough = time.Now().Add(apartFor), 2*len(g.members)
	}
	if g.w.ctx.Err() != nil {
		return
	}
	for _, pw := range g.members {
		if g.tells(pw) {
			g.w.run(pw, latest)
		}
	}
	g.w.letGo(c)
	g.w.call(g.namespace, c)
	g.w.disperse(g.namespace)
}

// tells reports whether it is the group that tells of a watch. The lock is held.
func (g *group) tells(pw *podWatch) bool { return pw.source == g.source }

// forget is called when a watch was released. The lock is held.
func (g *group) forget(pw *podWatch) {
	if g.members[pw.of.name] != pw {
		return
	}
	delete(g.members, pw.of.name)
	delete(g.seen, pw.of.name)
	if len(g.members) == 0 {
		g.again()
	}
}

// view is what the group knows of a pod. The lock is held.
func (g *group) view(name string) view {
	if pod := g.seen[name]; pod != nil {
		return view{known: true, pods: []*packedPod{pod}}
	}
	return view{known: true}
}

// begin makes members of all whose pods are watched by then.
func (g *group) begin() error {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	g.began, g.members = time.Now(), map[string]*podWatch{}
	g.seen, g.synced, g.news = map[string]*packedPod{}, false, nil
	for of, pw := range g.w.watches {
		if of.namespace == g.namespace && of.name != "" {
			g.members[of.name] = pw
			pw.steady = true
		}
	}
	g.others = othersPerMember * len(g.members)
	if len(g.members) < groupFrom/2 {
		return errFew
	}
	return nil
}

func (g *group) see(pod *corev1.Pod) error {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	if g.members[pod.Name] == nil {
		return g.pass(pod)
	}
	packed, err := pack(pod)
	if err != nil {
		return err
	}
	g.seen[pod.Name] = packed
	g.news = append(g.news, pod.Name)
	return nil
}

// pass is see of a pod that is not a member's. Those that have come since the stream began count for nothing: they will be members. The lock is held.
func (g *group) pass(pod *corev1.Pod) error {
	if g.w.watches[selection{namespace: g.namespace, name: pod.Name}] != nil {
		return nil
	}
	if g.others -= pod.Size(); g.others < 0 {
		return errApart
	}
	return nil
}

func (g *group) lose(name string) {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	delete(g.seen, name)
	g.news = append(g.news, name)
}

func (g *group) none() bool {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	return len(g.seen) == 0
}

func (g *group) know() {
	g.w.tell(func() (news []types.NamespacedName) {
		changed := g.news
		if !g.synced { // those that are not there are news, too
			changed = slices.Collect(maps.Keys(g.members))
		}
		g.synced, g.news, g.failed = true, nil, 0
		joined := false
		for _, name := range changed {
			switch pw := g.members[name]; {
			case pw == nil:
			case g.tells(pw):
				news = append(news, pw.keep(g.view(name))...)
			default:
				news = append(news, g.w.join(pw)...)
				joined = joined || g.tells(pw)
			}
		}
		if joined {
			g.w.tidySoon()
		}
		if g.called {
			g.called = false
			g.w.call(g.namespace, g.w.crowds[g.namespace])
		}
		return news
	})
}

func (g *group) fail(err error) (apart error) {
	g.w.tell(func() (news []types.NamespacedName) {
		if !errors.Is(err, errUnreachable) { // which it would be for each, too
			g.failed++
		}
		if g.failed == failsApart {
			apart = errApart
			return nil
		}
		for _, pw := range g.members {
			if g.tells(pw) {
				news = append(news, pw.keep(view{err: err})...)
			}
		}
		return news
	})
	return apart
}
