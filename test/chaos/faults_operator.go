package main

import (
	"os"
	"slices"
	"syscall"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/jsonpatch"
)

// operatorFaults are what may become of the operator.
func operatorFaults() []*fault {
	return []*fault{
		{
			name: "operator-killed", broken: "both replicas killed (SIGKILL) with 20 sessions in mixed phases; the kubelet restarts them",
			within: 5 * time.Second, short: true, limit: 3 * time.Minute, run: operatorKilled,
		},
		{
			name: "operator-stopped", broken: "no replica from before the end of sessions until after it",
			within: 5 * time.Second, short: true, limit: 3 * time.Minute, run: operatorStopped,
		},
		{
			name: "operator-frozen", broken: "both replicas stopped (SIGSTOP) across the end of sessions and two minutes more",
			within: 5 * time.Second, limit: 6 * time.Minute, run: operatorFrozen,
		},
		{
			name: "leader-killed", broken: "the leader killed (SIGKILL) and its pod deleted; the other replica takes over",
			within: 5 * time.Second, run: leaderKilled,
		},
		{
			name: "leader-replaced", broken: "the leader's pod deleted as an eviction or an upgrade does",
			within: 10 * time.Second, run: leaderReplaced,
		},
	}
}

func operatorKilled(s *stage) {
	m := s.mix(time.Now().Add(45 * time.Second))
	for _, h := range slices.Concat(m.pending, m.unpulledCopies) {
		h.expect = v1alpha1.OutcomeNotStarted
	}
	ending := append(append([]*session(nil), m.active...), m.copies...)
	s.expireAt(time.Now().Add(10*time.Second), append(append([]*session(nil), ending...), m.unpulledCopies...)...)
	s.sleepUntil(ending[0].wanted().Add(-500 * time.Millisecond))

	killed := time.Now()
	s.signal(syscall.SIGKILL, s.managers())
	s.allowed = "5s after the dead leader's lease"
	s.nobody(killed, killed.Add(lease))
	s.eventually(time.Minute, "the operator is back", func() bool { return s.restarted() && s.ready(s.ctx) == nil })
	s.say("the operator is back")

	m.resisting[0].release()
	m.awaiting[0].approve()
	s.reach(v1alpha1.PhaseActive, 20*time.Second, m.awaiting[0])
	for _, h := range append(m.unpulled, m.awaiting[1:]...) {
		h.terminate()
	}
	s.expireAt(time.Now().Add(11*time.Second), m.awaiting[0])
	s.end(30*time.Second, ending...)
	// Kubernetes cannot take back a container that has not started: its session ends with the pod, or after five minutes.
	s.reach(v1alpha1.PhaseEnding, 10*time.Second, m.unpulled...)
	m.doomed.struck = true
	s.must("deleting the target of the session whose image cannot be pulled", s.client.Delete(s.ctx, m.doomed.pod))
	s.end(40*time.Second, s.sessions...)
}

// restarted reports whether the kubelet has started every replica again.
func (s *stage) restarted() bool {
	pods, err := s.world.replicas(s.ctx)
	if err != nil {
		return false
	}
	for i := range pods {
		for _, status := range pods[i].Status.ContainerStatuses {
			if status.RestartCount == 0 || !status.Ready {
				return false
			}
		}
	}
	return true
}

func operatorStopped(s *stage) {
	web := s.target()
	deadline := time.Now().Add(30 * time.Second).Truncate(time.Second)
	hard := append(s.several(3, "hard", on(web), until(deadline)), s.several(2, "hard-copy", on(web), copied, until(deadline))...)
	soft := append(s.several(2, "soft", on(web), ofClass(classShort), lasting(20*time.Second)),
		s.session("soft-copy", on(web), copied, ofClass(classShort), lasting(20*time.Second)))
	all := append(append([]*session(nil), hard...), soft...)
	s.reach(v1alpha1.PhaseActive, 20*time.Second, all...)

	from := time.Now()
	s.must("scaling the operator to 0", s.scale(0))
	s.later(func() { s.must("the operator after the fault", s.back()) })
	s.eventually(30*time.Second, "no replica is left", func() bool {
		pods, err := s.world.replicas(s.ctx)
		return err == nil && len(pods) == 0
	})
	s.say("no replica is left")
	latest := deadline
	for _, h := range soft {
		if at := h.deadline(); at.After(latest) {
			latest = at
		}
	}
	s.sleepUntil(latest)
	s.eventually(ownWithin, "no debugger outlives its own deadline", func() bool {
		for _, h := range all {
			if h.runs() {
				return false
			}
		}
		return true
	})
	for _, h := range all {
		if phase := h.now().Status.Phase; phase != v1alpha1.PhaseActive {
			s.mistake("session %s is %s although no operator was running to record it", h.object.Name, phase)
		}
	}
	s.must("the operator after the fault", s.back())
	s.say("the operator is back")
	s.allowed = "5s after its own deadline"
	s.nobody(from, time.Now())
	s.end(20*time.Second, all...)
}

// back brings all replicas back.
func (s *stage) back() error {
	if err := s.scale(replicas); err != nil {
		return err
	}
	return s.operatorReady(s.ctx)
}

// operatorFrozen has every wake-up come minutes late. The kubelet would restart a replica that answers no probe, which
// would be another fault: the probe is taken away meanwhile.
func operatorFrozen(s *stage) {
	s.later(func() {
		s.must("installing the operator as it was", s.world.kubectl("apply", "-f", os.Getenv("INSTALL")))
		s.must("the operator after the fault", s.operatorReady(s.ctx))
	})
	s.must("removing the liveness probe", s.unprobed())
	s.must("the operator without its liveness probe", s.operatorReady(s.ctx))

	web := s.target()
	told, untold := s.several(3, "soft", on(web)), s.several(2, "soft-copy", on(web), copied)
	soft := append(append([]*session(nil), told...), untold...)
	s.reach(v1alpha1.PhaseActive, 30*time.Second, soft...)
	hard := append(s.several(2, "hard", on(web), ofClass(classShort), lasting(20*time.Second)),
		s.session("hard-copy", on(web), copied, ofClass(classShort), lasting(20*time.Second)))
	s.reach(v1alpha1.PhaseActive, 15*time.Second, hard...)
	s.expireAt(time.Now().Add(12*time.Second), soft...)
	s.eventually(8*time.Second, "ephemeral debuggers are told when they end", func() bool {
		return !slices.ContainsFunc(told, func(h *session) bool { return h.deadline().After(h.wanted()) })
	})

	managers := s.managers()
	from := time.Now()
	s.later(func() { s.signal(syscall.SIGCONT, managers) })
	s.signal(syscall.SIGSTOP, managers)
	s.sleepUntil(soft[0].wanted().Add(2 * time.Minute))
	for _, h := range append(append([]*session(nil), hard...), told...) {
		if h.runs() {
			s.mistake("session %s outlived its own deadline", h.object.Name)
		}
	}
	for _, h := range untold {
		if !h.runs() {
			s.mistake("session %s has no processes although nothing could have ended it", h.object.Name)
		}
	}
	s.signal(syscall.SIGCONT, managers)
	s.allowed = "5s after it runs on; else 5s after its own deadline"
	s.nobody(from, time.Now())
	s.end(time.Minute, append(soft, hard...)...)
}

// unprobed takes the liveness probe away from the operator's container.
func (s *stage) unprobed() error {
	return s.client.Patch(s.ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: operatorName}},
		jsonpatch.Patch{jsonpatch.Remove("/spec/template/spec/containers/0/livenessProbe")})
}

func leaderKilled(s *stage) {
	all, leader := s.led()
	pods, err := s.world.replicas(s.ctx)
	s.must("listing the operator's pods", err)
	killed := time.Now()
	s.signal(syscall.SIGKILL, map[string]process{leader: s.managers()[leader]})
	s.must("deleting the leader's pod", s.client.Delete(s.ctx, find(pods, leader), client.GracePeriodSeconds(0)))
	s.allowed = "5s after the dead leader's lease"
	s.nobody(killed, killed.Add(lease))
	s.taken(leader)
	s.end(40*time.Second, all...)
}

func leaderReplaced(s *stage) {
	all, leader := s.led()
	pods, err := s.world.replicas(s.ctx)
	s.must("listing the operator's pods", err)
	s.must("deleting the leader's pod", s.client.Delete(s.ctx, find(pods, leader)))
	s.say("the leader's pod, %s, is deleted", leader)
	s.taken(leader)
	s.end(30*time.Second, all...)
}

// led has sessions that expire in two seconds, and says who leads.
func (s *stage) led() (all []*session, leader string) {
	web := s.target()
	all = append(s.several(4, "hang", on(web)), s.several(2, "copy", on(web), copied)...)
	s.reach(v1alpha1.PhaseActive, 30*time.Second, all...)
	s.expireAt(time.Now().Add(12*time.Second), all...)
	leader, err := s.leader(s.ctx)
	s.must("reading the leader", err)
	s.later(func() { s.must("the operator after the fault", s.operatorReady(s.ctx)) })
	s.sleepUntil(all[0].wanted().Add(-2 * time.Second))
	return all, leader
}

// taken waits until another replica leads.
func (s *stage) taken(from string) {
	s.eventually(40*time.Second, "another replica is leading", func() bool {
		now, err := s.leader(s.ctx)
		return err == nil && now != "" && now != from
	})
	s.say("another replica is leading")
}
