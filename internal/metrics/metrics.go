// Package metrics measures sessions for Prometheus.
//
//	metric                         type       labels         meaning
//	debugsession_sessions          gauge      phase, mode    sessions there are, by where they stand; Ended ones are records
//	debugsession_ready_seconds     histogram  mode           from a session's creation until its debugger ran
//	debugsession_outcomes_total    counter    outcome, mode  sessions that ended, by how
//	debugsession_pod_watches       gauge                     pods being watched because a session debugs them
//
// Labels have the values of the API: status.phase, spec.mode and status.outcome. Every combination is there from the start,
// at zero, so that a rate or an alert works before the first session.
//
// debugsession_sessions is counted at each scrape from the sessions themselves, so that it cannot drift. Only the replica that
// acts has it, so that a sum over replicas is right. The histogram and the counters start anew with the operator. A creation
// time has whole seconds, so debugsession_ready_seconds may be up to a second too long.
package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"debugsession.dev/operator/api/v1alpha1"
)

var (
	phases = []v1alpha1.Phase{
		v1alpha1.PhasePending, v1alpha1.PhaseAwaitingApproval, v1alpha1.PhaseStarting, v1alpha1.PhaseActive,
		v1alpha1.PhaseEnding, v1alpha1.PhaseEnded,
	}
	modes    = []v1alpha1.Mode{v1alpha1.ModeEphemeralContainer, v1alpha1.ModePodCopy, v1alpha1.ModeNode}
	outcomes = []v1alpha1.Outcome{
		v1alpha1.OutcomeCompleted, v1alpha1.OutcomeExpired, v1alpha1.OutcomeTerminated, v1alpha1.OutcomeRevoked,
		v1alpha1.OutcomeDenied, v1alpha1.OutcomeRejected, v1alpha1.OutcomeTimedOut, v1alpha1.OutcomeTargetGone,
		v1alpha1.OutcomeNotStarted, v1alpha1.OutcomeFailed,
	}

	// From a debugger whose image is there to one whose image takes two minutes to pull.
	readyBuckets = []float64{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120}

	sessionsDesc = prometheus.NewDesc("debugsession_sessions",
		"Number of debug sessions, by where they stand and how the debugger is brought in. Ended sessions are kept as records.",
		[]string{"phase", "mode"}, nil)
	podWatchesDesc = prometheus.NewDesc("debugsession_pod_watches",
		"Number of pods that the operator watches because a debug session is interested in them.", nil, nil)
)

// Recorder measures sessions. It is a prometheus.Collector: register it once.
type Recorder struct {
	sessions   func() ([]v1alpha1.DebugSession, error)
	podWatches func() int
	ready      *prometheus.HistogramVec
	outcomes   *prometheus.CounterVec
}

var _ prometheus.Collector = &Recorder{}

// New returns a Recorder that has measured nothing.
//
// Both functions are called at each scrape, by several goroutines at once if there are several scrapes, and should answer
// from memory. sessions returns all sessions, which are only read; if it fails, as on a replica that does not act, this
// scrape has no debugsession_sessions, rather than a wrong one. podWatches returns how many pods are watched.
func New(sessions func() ([]v1alpha1.DebugSession, error), podWatches func() int) *Recorder {
	r := &Recorder{
		sessions:   sessions,
		podWatches: podWatches,
		ready: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "debugsession_ready_seconds",
			Help:    "Time from the creation of a debug session until its debugger ran and could be attached to, in seconds.",
			Buckets: readyBuckets,
		}, []string{"mode"}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "debugsession_outcomes_total",
			Help: "Debug sessions that have ended since the operator started, by how they ended.",
		}, []string{"outcome", "mode"}),
	}
	for _, mode := range modes {
		r.ready.WithLabelValues(string(mode))
		for _, outcome := range outcomes {
			r.outcomes.WithLabelValues(string(outcome), string(mode))
		}
	}
	return r
}

// Ready records that a session's debugger began to run, so long after the session was created. A negative time, as from
// clocks that disagree, counts as none.
func (r *Recorder) Ready(mode v1alpha1.Mode, after time.Duration) {
	r.ready.WithLabelValues(string(modeOf(mode))).Observe(max(after, 0).Seconds())
}

// Ended records that a session ended.
func (r *Recorder) Ended(outcome v1alpha1.Outcome, mode v1alpha1.Mode) {
	r.outcomes.WithLabelValues(string(outcome), string(modeOf(mode))).Inc()
}

// Describe implements prometheus.Collector.
func (r *Recorder) Describe(descs chan<- *prometheus.Desc) {
	descs <- sessionsDesc
	descs <- podWatchesDesc
	r.ready.Describe(descs)
	r.outcomes.Describe(descs)
}

// Collect implements prometheus.Collector.
func (r *Recorder) Collect(metrics chan<- prometheus.Metric) {
	r.collectSessions(metrics)
	metrics <- prometheus.MustNewConstMetric(podWatchesDesc, prometheus.GaugeValue, float64(r.podWatches()))
	r.ready.Collect(metrics)
	r.outcomes.Collect(metrics)
}

func (r *Recorder) collectSessions(metrics chan<- prometheus.Metric) {
	sessions, err := r.sessions()
	if err != nil {
		return
	}
	type place struct {
		phase v1alpha1.Phase
		mode  v1alpha1.Mode
	}
	count := map[place]int{}
	for _, phase := range phases {
		for _, mode := range modes {
			count[place{phase, mode}] = 0
		}
	}
	for i := range sessions {
		count[place{phaseOf(sessions[i].Status.Phase), modeOf(sessions[i].Spec.Mode)}]++
	}
	for at, n := range count {
		metrics <- prometheus.MustNewConstMetric(sessionsDesc, prometheus.GaugeValue, float64(n), string(at.phase), string(at.mode))
	}
}

// phaseOf is the phase of a session that the operator has perhaps not seen yet: pending, then.
func phaseOf(phase v1alpha1.Phase) v1alpha1.Phase {
	if phase == "" {
		return v1alpha1.PhasePending
	}
	return phase
}

// modeOf is the mode, with the API's default for one that was left out.
func modeOf(mode v1alpha1.Mode) v1alpha1.Mode {
	if mode == "" {
		return v1alpha1.ModeEphemeralContainer
	}
	return mode
}
