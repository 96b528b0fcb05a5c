package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// stage is to a fault what testing.T is to a test: it has a namespace of its own, keeps the story, and is where the sessions,
// the targets and what was found wrong are noted.
type stage struct {
	*world
	*fault
	ctx       context.Context
	namespace string

	mu       sync.Mutex
	story    []string
	sessions []*session
	targets  []*target
	outages  []outage
	undo     []func()
	started  time.Time
	remarks  []string // for the row
	allowed  string   // for the row, if within alone does not say it

	leaks, late, wrong []string
}

// outage is a time in which nobody was there who could have ended a session softly: what was due then is due at its end.
type outage struct {
	from, to time.Time
	copies   bool // of copies alone
}

// say adds a line to the story.
func (s *stage) say(format string, args ...any) { s.tell(time.Now(), fmt.Sprintf(format, args...)) }

func (s *stage) tell(at time.Time, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.story = append(s.story, fmt.Sprintf("%7.2fs  %s", at.Sub(s.started).Seconds(), line))
}

// remark adds something to the fault's row of the table.
func (s *stage) remark(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remarks = append(s.remarks, fmt.Sprintf(format, args...))
}

// mistake notes that something is wrong, and goes on.
func (s *stage) mistake(format string, args ...any) {
	s.say("WRONG: "+format, args...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
}

// fatal notes that something is wrong without which the fault cannot go on.
func (s *stage) fatal(format string, args ...any) {
	s.mistake(format, args...)
	runtime.Goexit()
}

// must ends the fault if something that it needs did not work. A fault that could not be tried has failed.
func (s *stage) must(what string, err error) {
	if err != nil {
		s.fatal("%s: %v", what, err)
	}
}

// later is done when the fault is over, however it went; the last first.
func (s *stage) later(undo func()) { s.undo = append(s.undo, undo) }

// eventually waits until something is so.
func (s *stage) eventually(patience time.Duration, what string, so func() bool) {
	if !s.soon(patience, so) {
		s.fatal("still not true after %s: %s", patience, what)
	}
}

// soon reports whether something became so in time.
func (s *stage) soon(patience time.Duration, so func() bool) bool {
	for deadline := time.Now().Add(patience); !so(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) || s.ctx.Err() != nil {
			return false
		}
	}
	return true
}

// sleepUntil lets a time come that nothing announces, such as that of a deadline which must pass without anybody.
func (s *stage) sleepUntil(at time.Time) {
	select {
	case <-time.After(time.Until(at)):
	case <-s.ctx.Done():
		s.fatal("the fault timed out while waiting")
	}
}

// nobody declares an outage.
func (s *stage) nobody(from, to time.Time) {
	s.say("nothing could end a session for %.1f s", to.Sub(from).Seconds())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outages = append(s.outages, outage{from: from, to: to})
}

// nobodyForCopies declares an outage of what ends copies alone: a kubelet that does not hear of deletions.
func (s *stage) nobodyForCopies(from, to time.Time) {
	s.say("nothing could end a copy for %.1f s", to.Sub(from).Seconds())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outages = append(s.outages, outage{from, to, true})
}

// due is when what was due at a time is due in earnest: an outage puts it off.
func (s *stage) due(at time.Time, ofCopy bool) time.Time {
	for _, o := range s.outages {
		if (ofCopy || !o.copies) && !at.Before(o.from) && at.Before(o.to) {
			at = o.to
		}
	}
	return at
}

// play runs a fault from its namespace to the audit, and returns its row.
func (w *world) play(f *fault) row {
	limit := f.limit
	if limit == 0 {
		limit = usualLimit
	}
	ctx, cancel := context.WithTimeout(w.ctx, limit)
	defer cancel()
	s := &stage{world: w, fault: f, ctx: ctx, started: time.Now()}
	s.act(func() {
		if !f.gentle {
			s.freshOperator()
		}
		namespace, err := w.newNamespace(ctx, f.name)
		s.must("creating a namespace", err)
		s.namespace = namespace
		f.run(s)
	})
	for i := len(s.undo) - 1; i >= 0; i-- {
		s.act(s.undo[i])
	}
	s.act(s.audit)
	s.clearAway()
	return s.row()
}

// act runs a part of a fault, which may end early.
func (s *stage) act(part func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if r := recover(); r != nil {
				s.mistake("the fault's own code failed: %v\n%s", r, debug.Stack())
			}
		}()
		part()
	}()
	<-done
}

// clearAway deletes the namespace without waiting: that it goes is seen at the end of all.
func (s *stage) clearAway() {
	if s.namespace == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), 20*time.Second)
	defer cancel()
	if err := s.deleteNamespace(ctx); err != nil {
		s.mistake("deleting namespace %s: %v", s.namespace, err)
	}
}

// tale is the whole story, with what each session did, as it happened.
func (s *stage) tale() string {
	lines := append([]string(nil), s.story...)
	for _, session := range s.sessions {
		lines = append(lines, session.tale()...)
	}
	return strings.Join(sorted(lines), "\n")
}

func (s *stage) deleteNamespace(ctx context.Context) error {
	return client.IgnoreNotFound(s.client.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}))
}
