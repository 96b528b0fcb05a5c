package main

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

const (
	// burstGoal is for the 99th percentile of a burst, from the end that was wanted to no process.
	burstGoal = 5 * time.Second

	// perPod is how many debuggers of a burst share a target: what a container's processes are has to be found out
	// among all of the pod's.
	perPod = 4
)

// burstFaults are many sessions that expire in the same second: as many as two cores carry within the goal, and as many as
// the goal is for.
func burstFaults(o *options) []*fault {
	if o.burst > 0 {
		return []*fault{burstOf(o.burst, time.Minute), transcribedBurst(o.burst)}
	}
	return []*fault{burstOf(30, burstGoal), burstOf(200, time.Minute), transcribedBurst(200)}
}

func burstOf(size int, within time.Duration) *fault {
	return &fault{
		name: fmt.Sprintf("burst-%d", size), broken: fmt.Sprintf("%d sessions expire in the same second", size),
		within: within, limit: 10 * time.Minute, run: func(s *stage) { burst(s, size) },
	}
}

func burst(s *stage, size int) {
	all := s.expiringTogether("burst", size)
	s.end(3*time.Minute, all...)
	s.remark("%s", s.measure(all))
}

// expiringTogether has so many sessions, a tenth of which debug copies, and waits for the second in which all of them expire.
func (s *stage) expiringTogether(name string, size int, options ...option) []*session {
	var pods []string
	for i := range (size + perPod - 1) / perPod {
		pods = append(pods, fmt.Sprintf("%s-web-%d", name, i))
	}
	targets := s.targetsNamed(pods)
	begun := time.Now()
	at := begun.Add(30*time.Second + time.Duration(size)*time.Second).Truncate(time.Second)
	all := make([]*session, size)
	s.each(size, func(i int) {
		own := append([]option{on(targets[i/perPod]), until(at)}, options...)
		if i%10 == 9 {
			own = append(own, copied)
		}
		all[i] = s.session(fmt.Sprintf("%s-%d", name, i), own...)
	})
	s.reach(v1alpha1.PhaseActive, time.Until(at), all...)
	s.say("%d sessions are active, after %.1f s", size, time.Since(begun).Seconds())
	s.sleepUntil(at)
	return all
}

// each does something eight at a time.
func (s *stage) each(count int, do func(int)) {
	var wait sync.WaitGroup
	work := make(chan int)
	for range 8 {
		wait.Go(func() {
			for i := range work {
				s.act(func() { do(i) })
			}
		})
	}
	for i := range count {
		work <- i
	}
	close(work)
	wait.Wait()
}

// ends are how long it took from the end of sessions to no process, and to their record.
type ends struct{ gone, ended []time.Duration }

func (s *stage) measure(all []*session) ends {
	var e ends
	for _, h := range all {
		if seen, ever := h.processes(); ever && !seen.gone.IsZero() {
			e.gone = append(e.gone, seen.gone.Sub(h.wanted()))
		}
		e.ended = append(e.ended, h.history().ended.Sub(h.wanted()))
	}
	return e
}

func (e ends) String() string {
	return fmt.Sprintf("to no process: p50 %s, p99 %s, max %s; to Ended: p50 %s, p99 %s", seconds(quantile(e.gone, 50)),
		seconds(quantile(e.gone, 99)), seconds(quantile(e.gone, 100)), seconds(quantile(e.ended, 50)), seconds(quantile(e.ended, 99)))
}

// quantile is the smallest of the values that is not less than so many percent of them.
func quantile(values []time.Duration, percent int) time.Duration {
	if len(values) == 0 {
		return -1
	}
	ordered := slices.Sorted(slices.Values(values))
	return ordered[(len(ordered)*percent+99)/100-1]
}
