package main

import (
	"slices"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

// clusterFaults are what may become of the components of Kubernetes.
func clusterFaults() []*fault {
	return []*fault{
		{
			name: "apiserver-etcd-killed", broken: "the API server and etcd killed (SIGKILL) for 25 s, across the end of sessions",
			within: 5 * time.Second, limit: 4 * time.Minute, run: func(s *stage) { apiServerAway(s, 25*time.Second) },
		},
		{
			name: "apiserver-etcd-ten-minutes", broken: "the same for ten minutes: it costs no more once they are back",
			within: 5 * time.Second, limit: 15 * time.Minute, run: func(s *stage) { apiServerAway(s, 10*time.Minute) },
		},
		{
			name: "apiserver-restarted", broken: "the API server killed (SIGKILL) and started again at once, across the end of sessions",
			within: 10 * time.Second, limit: 3 * time.Minute, run: apiServerRestarted,
		},
		{
			name: "kubelet-killed", broken: "the kubelet killed (SIGKILL) for 20 s, across the end of sessions",
			within: 20 * time.Second, short: true, limit: 3 * time.Minute, run: kubeletKilled,
		},
		{
			name: "containerd-killed", broken: "containerd killed (SIGKILL) for 15 s, across the end of sessions",
			within: 20 * time.Second, limit: 3 * time.Minute, run: containerdKilled,
		},
	}
}

// down kills components, first to last, and returns what starts them again, the other way round.
func (s *stage) down(names ...string) (start func()) {
	up := false
	start = func() {
		if up {
			return
		}
		up = true
		for i := len(names) - 1; i >= 0; i-- {
			s.must("starting "+names[i], s.component("start-component", names[i]))
			s.say("%s is running again", names[i])
		}
	}
	s.later(start)
	for _, name := range names {
		s.must("killing "+name, s.component("stop-component", "--kill", name))
		s.say("%s is killed", name)
	}
	return start
}

// apiServerAway has sessions end while nobody can tell of it, right after, and because somebody asks for it as soon as that is possible.
func apiServerAway(s *stage, outage time.Duration) {
	web := s.target()
	itself := s.several(3, "during", on(web))
	during := slices.Concat(itself, s.several(2, "copy-during", on(web), copied))
	after := s.several(2, "after", on(web))
	deadline := time.Now().Add(35 * time.Second).Truncate(time.Second)
	hard := append(s.several(2, "hard", on(web), until(deadline)), s.session("hard-copy", on(web), copied, until(deadline)))
	asked := s.several(2, "asked", on(web))
	all := slices.Concat(during, after, hard, asked)
	s.reach(v1alpha1.PhaseActive, 20*time.Second, all...)
	s.sleepUntil(deadline.Add(-11 * time.Second))
	s.expireAt(deadline.Add(-2*time.Second), during...)
	s.expireAt(deadline.Add(outage), after...)
	s.told(slices.Concat(during, after)...)

	from := time.Now()
	start := s.down("apiserver", "etcd")
	s.sleepUntil(deadline.Add(ownWithin))
	for _, h := range slices.Concat(itself, hard) {
		if h.runs() {
			s.mistake("session %s outlived its own deadline", h.object.Name)
		}
	}
	s.sleepUntil(from.Add(outage))
	start()
	for _, h := range asked {
		h.terminate()
	}
	// The operator has given up its lease meanwhile, and who takes it waits for as long as it may be held.
	s.allowed = "5s after the API server is back and the lease is over; a copy once the kubelet hears of it; else 5s after its own deadline"
	s.nobody(from, time.Now().Add(lease))
	s.hears(from)
	s.end(90*time.Second, all...)
	s.noneRestarted()
}

// hears waits until the kubelet hears of pods again, which it does later and later the longer there was no API server.
func (s *stage) hears(from time.Time) {
	s.targetsWithin(90*time.Second, []string{"canary"})
	s.nobodyForCopies(from, time.Now())
}

func apiServerRestarted(s *stage) {
	web := s.target()
	all := append(s.several(4, "hang", on(web)), s.several(2, "copy", on(web), copied)...)
	s.reach(v1alpha1.PhaseActive, 20*time.Second, all...)
	s.expireAt(time.Now().Add(12*time.Second), all...)
	s.sleepUntil(all[0].wanted().Add(-time.Second))

	from := time.Now()
	s.down("apiserver")()
	s.allowed = "10s after the API server is back"
	s.nobody(from, time.Now())
	s.hears(from)
	s.end(60*time.Second, all...)
}

func kubeletKilled(s *stage) {
	web := s.target()
	deadline := time.Now().Add(25 * time.Second).Truncate(time.Second)
	soft := append(s.several(3, "soft", on(web)), s.several(2, "copy", on(web), copied)...)
	hard := s.several(2, "hard", on(web), until(deadline))
	all := append(append([]*session(nil), soft...), hard...)
	s.reach(v1alpha1.PhaseActive, 20*time.Second, all...)
	s.sleepUntil(deadline.Add(-11 * time.Second))
	s.expireAt(deadline, soft...)

	from := time.Now()
	start := s.down("kubelet")
	s.sleepUntil(deadline.Add(ownWithin))
	for _, h := range hard {
		if h.runs() {
			s.mistake("session %s outlived its own deadline", h.object.Name)
		}
	}
	s.sleepUntil(from.Add(20 * time.Second))
	for _, h := range all {
		if phase := h.now().Status.Phase; phase != v1alpha1.PhaseEnding {
			s.mistake("session %s is %s although nothing can tell whether its container has ended", h.object.Name, phase)
		}
	}
	start()
	s.allowed = "20s after the kubelet is back; else 5s after its own deadline"
	s.nobody(from, time.Now())
	s.end(90*time.Second, all...)
}

func containerdKilled(s *stage) {
	web := s.target()
	all := append(s.several(3, "hang", on(web)), s.several(2, "copy", on(web), copied)...)
	s.reach(v1alpha1.PhaseActive, 20*time.Second, all...)
	s.expireAt(time.Now().Add(12*time.Second), all...)
	s.sleepUntil(all[0].wanted().Add(-2 * time.Second))

	from := time.Now()
	start := s.down("containerd")
	s.sleepUntil(from.Add(15 * time.Second))
	for _, h := range all {
		if phase := h.now().Status.Phase; phase == v1alpha1.PhaseEnded && h.runs() {
			s.mistake("session %s is Ended but its processes are running", h.object.Name)
		}
	}
	start()
	s.allowed = "20s after containerd is back"
	s.nobody(from, time.Now())
	s.end(90*time.Second, all...)
}
