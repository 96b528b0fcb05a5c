// Package metrics measures sessions for Prometheus. docs/metrics.md lists what there is.
//
// Labels have the values of the API: status.phase, spec.mode, status.outcome and status.reason, and the names of classes, which only
// administrators make. Every combination of phase, mode and outcome is there from the start, at zero, so that a rate or an alert works
// before the first session. What has a class or a reason as its label is there when there is something to count.
//
// Gauges are counted at each scrape from the sessions themselves, so that they cannot drift. Only the replica that acts has them, so
// that a sum over replicas is right. Histograms and counters start anew with the operator. Times in the API have whole seconds, so a
// duration may be up to a second too long.
package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"debugsession.dev/operator/api/v1alpha1"
)

var (
	phases, modes, outcomes = v1alpha1.Phases(), v1alpha1.Modes(), v1alpha1.Outcomes()

	// From a debugger whose image is there to one whose image takes two minutes to pull.
	readyBuckets = []float64{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120}

	// From what is in time to what an outage of the API server or of a node costs.
	lateBuckets = []float64{1, 2, 5, 10, 20, 30, 60, 120, 300, 900}

	sessionsDesc = prometheus.NewDesc("debugsession_sessions",
		"Number of debug sessions, by where they stand and how the debugger is brought in. Ended sessions are kept as records.",
		[]string{"phase", "mode"}, nil)
	classSessionsDesc = prometheus.NewDesc("debugsession_class_sessions",
		"Number of debug sessions that have not ended, by class and by where they stand. There is no series where there are none.",
		[]string{"class", "phase"}, nil)
	approvalWaitDesc = prometheus.NewDesc("debugsession_approval_wait_seconds",
		"How long the debug session of a class has waited for approval that has waited the longest, in seconds. There is no series where none waits.",
		[]string{"class"}, nil)
	endingDesc = prometheus.NewDesc("debugsession_ending_seconds",
		"How long the debug session has been Ending without any progress that has been so for the longest, in seconds; 0 if none is Ending.", nil, nil)
	overdueDesc = prometheus.NewDesc("debugsession_overdue_seconds",
		"How long the debug session is past its end that is the most and has not ended, in seconds; 0 if there is none.", nil, nil)
	reviewsPendingDesc = prometheus.NewDesc("debugsession_reviews_pending",
		"Number of debug sessions that started before their approval and are to be reviewed, by their class. There is no series where there are none.",
		[]string{"class"}, nil)
	reviewsOverdueDesc = prometheus.NewDesc("debugsession_reviews_overdue",
		"Number of those debug sessions that were not reviewed in time, by their class.", []string{"class"}, nil)
	podWatchesDesc = prometheus.NewDesc("debugsession_pod_watches",
		"Number of pods that the operator watches because a debug session is interested in them.", nil, nil)
)

// Recorder measures sessions. It is a prometheus.Collector: register it once.
type Recorder struct {
	sessions   func() ([]*v1alpha1.DebugSession, error)
	podWatches func() int
	clock      clock.PassiveClock
	ready      *prometheus.HistogramVec
	late       *prometheus.HistogramVec
	outcomes   *prometheus.CounterVec
	reasons    *prometheus.CounterVec
}

var _ prometheus.Collector = &Recorder{}

// New returns a Recorder that has measured nothing.
//
// Both functions are called at each scrape, by several goroutines at once if there are several scrapes, and should answer
// from memory. sessions returns all sessions, which are only read; if it fails, as on a replica that does not act, this
// scrape has no gauges of sessions, rather than wrong ones. podWatches returns how many pods are watched.
func New(sessions func() ([]*v1alpha1.DebugSession, error), podWatches func() int, clock clock.PassiveClock) *Recorder {
	r := &Recorder{
		sessions:   sessions,
		podWatches: podWatches,
		clock:      clock,
		ready: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "debugsession_ready_seconds",
			Help:    "Time from the creation of a debug session until its debugger ran and could be attached to, in seconds.",
			Buckets: readyBuckets,
		}, []string{"mode"}),
		late: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "debugsession_late_seconds",
			Help:    "Time from when a debug session was to end by itself until nothing of it was left, in seconds.",
			Buckets: lateBuckets,
		}, []string{"mode"}),
		reasons: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "debugsession_end_reasons_total",
			Help: "Debug sessions that have ended since the operator started, by how they ended and by why.",
		}, []string{"outcome", "reason"}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "debugsession_outcomes_total",
			Help: "Debug sessions that have ended since the operator started, by how they ended.",
		}, []string{"outcome", "mode"}),
	}
	for _, mode := range modes {
		r.ready.WithLabelValues(string(mode))
		r.late.WithLabelValues(string(mode))
		for _, outcome := range outcomes {
			r.outcomes.WithLabelValues(string(outcome), string(mode))
		}
	}
	return r
}

// CertificateExpiry is a gauge of when the certificate ends by which the API server, and Prometheus, know the operator.
func CertificateExpiry(expiry func() time.Time) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "debugsession_certificate_expiry_timestamp_seconds",
		Help: "When the certificate ends that this replica serves, in seconds since 1970; 0 before there is one.",
	}, func() float64 { return float64(max(expiry().Unix(), 0)) })
}

// Ready records that a session's debugger began to run, so long after the session was created. A negative time, as from
// clocks that disagree, counts as none.
func (r *Recorder) Ready(mode v1alpha1.Mode, after time.Duration) {
	r.ready.WithLabelValues(string(modeOf(mode))).Observe(max(after, 0).Seconds())
}

// Ended records that a session ended.
func (r *Recorder) Ended(session *v1alpha1.DebugSession) {
	mode, status := string(modeOf(session.Spec.Mode)), &session.Status
	r.outcomes.WithLabelValues(string(status.Outcome), mode).Inc()
	r.reasons.WithLabelValues(string(status.Outcome), status.Reason).Inc()
	if status.ExpiresAt != nil && status.EndedAt != nil && !status.EndedAt.Before(status.ExpiresAt) {
		r.late.WithLabelValues(mode).Observe(status.EndedAt.Sub(status.ExpiresAt.Time).Seconds())
	}
}

// Describe implements prometheus.Collector.
func (r *Recorder) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{sessionsDesc, classSessionsDesc, approvalWaitDesc, endingDesc, overdueDesc, reviewsPendingDesc, reviewsOverdueDesc, podWatchesDesc} {
		descs <- desc
	}
	for _, vec := range r.vecs() {
		vec.Describe(descs)
	}
}

// Collect implements prometheus.Collector.
func (r *Recorder) Collect(metrics chan<- prometheus.Metric) {
	r.collectSessions(metrics)
	metrics <- prometheus.MustNewConstMetric(podWatchesDesc, prometheus.GaugeValue, float64(r.podWatches()))
	for _, vec := range r.vecs() {
		vec.Collect(metrics)
	}
}

func (r *Recorder) vecs() []prometheus.Collector {
	return []prometheus.Collector{r.ready, r.late, r.outcomes, r.reasons}
}

func (r *Recorder) collectSessions(metrics chan<- prometheus.Metric) {
	sessions, err := r.sessions()
	if err != nil {
		return
	}
	c := countSessions(sessions, r.clock.Now())
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	for at, n := range c.places {
		gauge(sessionsDesc, float64(n), string(at.phase), string(at.mode))
	}
	for at, n := range c.classes {
		gauge(classSessionsDesc, float64(n), at.class, string(at.phase))
	}
	for class, wait := range c.approvalWait {
		gauge(approvalWaitDesc, wait.Seconds(), class)
	}
	gauge(endingDesc, c.ending.Seconds())
	gauge(overdueDesc, c.overdue.Seconds())
	pending, late := countReviews(sessions)
	for class, n := range pending {
		gauge(reviewsPendingDesc, float64(n), class)
		gauge(reviewsOverdueDesc, float64(late[class]), class)
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

// countReviews counts the sessions that are to be reviewed, and those of them that were not in time, by class.
func countReviews(sessions []*v1alpha1.DebugSession) (pending, overdue map[string]int) {
	pending, overdue = map[string]int{}, map[string]int{}
	for i := range sessions {
		if sessions[i].Status.AwaitsReview() {
			pending[sessions[i].Spec.ClassName]++
		}
		if sessions[i].Status.ReviewOverdue() {
			overdue[sessions[i].Spec.ClassName]++
		}
	}
	return pending, overdue
}
