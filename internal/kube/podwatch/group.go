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

	// tidyAfter is how long after pods have changed over to a group the memory of their streams is given back.
	tidyAfter = time.Second

	// apartFor is how long a namespace has no group after one that was not worth it, unless it has twice as many pods by then.
	apartFor = time.Hour
)

// errFew is why a group has become too small.
var errFew = fmt.Errorf("%w: too few are left", errApart)

// crowd are the pods of a namespace that are watched. Its fields are guarded by the Watcher's lock.
type crowd struct {
	alone int         // how many have streams of their own
	call  *time.Timer // gathers them; nil: not yet
	group *group      // nil: there is none

	apart  time.Time // until when there is none,
	enough int       // unless so many have streams of their own
}

// group is one stream of all the pods of a namespace, of which it keeps those that are watched:
//
//   - A pod has a stream of its own first, so that nobody waits for a group. The group's begins with the latest, and a pod changes over to it
//     when both know the same of it. So nothing that was seen is followed by what was before it.
//   - Pods that come later keep their own until the group's stream is begun anew, as each is after some minutes, and sooner if they are many.
//   - A group is dissolved that was brought too much of other pods, or has become small. Its pods get streams of their own, which begin with the
//     latest.
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

	seen   map[string]*packedPod
	synced bool     // whether that is how things are
	news   []string // of which pods the audience does not know yet
}

// come is called when a pod's watch was given a stream of its own. The lock is held.
func (w *Watcher) come(namespace string) {
	c := w.crowds[namespace]
	if c == nil {
		c = &crowd{}
		w.crowds[namespace] = c
	}
	c.alone++
	switch {
	case c.call != nil && c.alone == c.enough:
		c.call.Reset(gatherFor)
	case c.call == nil && c.alone >= groupFrom:
		c.call = time.AfterFunc(c.wait(), func() { w.gather(namespace) })
	}
}

// wait is how long from now pods are gathered.
func (c *crowd) wait() time.Duration {
	switch {
	case c.group != nil:
		return max(gatherFor, time.Until(c.group.began.Add(regatherAfter)))
	case c.alone >= c.enough:
		return gatherFor
	default:
		return max(gatherFor, time.Until(c.apart))
	}
}

// disperse forgets a namespace in which no pod is watched. The lock is held.
func (w *Watcher) disperse(namespace string) {
	if c := w.crowds[namespace]; c != nil && c.alone == 0 && c.call == nil && c.group == nil {
		delete(w.crowds, namespace)
	}
}

// gather begins a group in a namespace, or its stream anew, if there are still as many that have streams of their own.
func (w *Watcher) gather(namespace string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.crowds[namespace]
	if c == nil {
		return
	}
	c.call = nil
	switch {
	case w.stopped || c.alone < groupFrom:
		w.disperse(namespace)
	case c.group != nil:
		c.group.again()
	default:
		c.group = &group{w: w, namespace: namespace, source: &source{}, again: func() {}}
		w.running.Go(c.group.run)
	}
}

// join has a watch be told by the group of its namespace from now on, if both know the same of its pod, and returns whom to tell. The lock is
// held.
func (w *Watcher) join(pw *podWatch) (tell []types.NamespacedName) {
	c := w.crowds[pw.of.namespace]
	if c == nil || c.group == nil || !c.group.synced || c.group.members[pw.of.name] != pw {
		return nil
	}
	now, nothing := c.group.view(pw.of.name), view{}
	if !pw.seen.same(nothing) && !pw.seen.same(now) {
		return nil
	}
	w.end(pw)
	pw.source = c.group.source
	return pw.keep(now)
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
	pods := &podClient{g.w.pods.Pods(g.namespace), g.w.pods.RESTClient(), selection{namespace: g.namespace}, g.w.groups}
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
	if !errors.Is(err, errFew) {
		c.apart, c.enough = time.Now().Add(apartFor), 2*len(g.members)
	}
	for _, pw := range g.members {
		if g.tells(pw) && g.w.ctx.Err() == nil {
			g.w.run(pw, latest)
		}
	}
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
	if len(g.members) < groupFrom/2 {
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
		if g.others -= pod.Size(); g.others < 0 {
			return errApart
		}
		return nil
	}
	packed, err := pack(pod)
	if err != nil {
		return err
	}
	g.seen[pod.Name] = packed
	g.news = append(g.news, pod.Name)
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
	g.w.mu.Lock()
	var tell []types.NamespacedName
	news := g.news
	if !g.synced { // those that are not there are news, too
		news = slices.Collect(maps.Keys(g.members))
		g.w.tidySoon()
	}
	g.synced, g.news = true, nil
	for _, name := range news {
		switch pw := g.members[name]; {
		case pw == nil:
		case g.tells(pw):
			tell = append(tell, pw.keep(g.view(name))...)
		default:
			tell = append(tell, g.w.join(pw)...)
		}
	}
	g.w.mu.Unlock()
	g.w.tell(tell)
}

func (g *group) fail(err error) {
	g.w.mu.Lock()
	var tell []types.NamespacedName
	for _, pw := range g.members {
		if g.tells(pw) {
			tell = append(tell, pw.keep(view{err: err})...)
		}
	}
	g.w.mu.Unlock()
	g.w.tell(tell)
}
