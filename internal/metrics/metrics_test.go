package metrics_test

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/metrics"
)

func session(phase v1alpha1.Phase, mode v1alpha1.Mode) v1alpha1.DebugSession {
	return v1alpha1.DebugSession{
		Spec:   v1alpha1.DebugSessionSpec{Mode: mode},
		Status: v1alpha1.DebugSessionStatus{Phase: phase},
	}
}

func none() ([]v1alpha1.DebugSession, error) { return nil, nil }

func noWatches() int { return 0 }

func expect(t *testing.T, r *metrics.Recorder, want string, names ...string) {
	t.Helper()
	if err := testutil.CollectAndCompare(r, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
}

func TestSessionsAreCountedAtEachScrape(t *testing.T) {
	sessions := []v1alpha1.DebugSession{
		session("", ""),
		session(v1alpha1.PhasePending, v1alpha1.ModeEphemeralContainer),
		session(v1alpha1.PhaseActive, v1alpha1.ModePodCopy),
	}
	r := metrics.New(func() ([]v1alpha1.DebugSession, error) { return sessions, nil }, noWatches)
	const head = `
# HELP debugsession_sessions Number of debug sessions, by where they stand and how the debugger is brought in. Ended sessions are kept as records.
# TYPE debugsession_sessions gauge
`
	expect(t, r, head+`
debugsession_sessions{mode="EphemeralContainer",phase="Active"} 0
debugsession_sessions{mode="EphemeralContainer",phase="Ended"} 0
debugsession_sessions{mode="EphemeralContainer",phase="Ending"} 0
debugsession_sessions{mode="EphemeralContainer",phase="Pending"} 2
debugsession_sessions{mode="EphemeralContainer",phase="Starting"} 0
debugsession_sessions{mode="PodCopy",phase="Active"} 1
debugsession_sessions{mode="PodCopy",phase="Ended"} 0
debugsession_sessions{mode="PodCopy",phase="Ending"} 0
debugsession_sessions{mode="PodCopy",phase="Pending"} 0
debugsession_sessions{mode="PodCopy",phase="Starting"} 0
`, "debugsession_sessions")

	sessions = []v1alpha1.DebugSession{session(v1alpha1.PhaseEnded, v1alpha1.ModePodCopy)}
	expect(t, r, head+`
debugsession_sessions{mode="EphemeralContainer",phase="Active"} 0
debugsession_sessions{mode="EphemeralContainer",phase="Ended"} 0
debugsession_sessions{mode="EphemeralContainer",phase="Ending"} 0
debugsession_sessions{mode="EphemeralContainer",phase="Pending"} 0
debugsession_sessions{mode="EphemeralContainer",phase="Starting"} 0
debugsession_sessions{mode="PodCopy",phase="Active"} 0
debugsession_sessions{mode="PodCopy",phase="Ended"} 1
debugsession_sessions{mode="PodCopy",phase="Ending"} 0
debugsession_sessions{mode="PodCopy",phase="Pending"} 0
debugsession_sessions{mode="PodCopy",phase="Starting"} 0
`, "debugsession_sessions")
}

func TestSessionsThatCannotBeListedAreLeftOut(t *testing.T) {
	r := metrics.New(func() ([]v1alpha1.DebugSession, error) {
		return []v1alpha1.DebugSession{session(v1alpha1.PhaseActive, "")}, errors.New("no cache yet")
	}, func() int { return 3 })
	if n := testutil.CollectAndCount(r, "debugsession_sessions"); n != 0 {
		t.Errorf("got %d series, want none: a wrong number is worse than none", n)
	}
	expect(t, r, `
# HELP debugsession_pod_watches Number of pods that the operator watches because a debug session is interested in them.
# TYPE debugsession_pod_watches gauge
debugsession_pod_watches 3
`, "debugsession_pod_watches")
}

func TestReadyGoesIntoTheModesBuckets(t *testing.T) {
	r := metrics.New(none, noWatches)
	r.Ready("", -time.Second)
	r.Ready(v1alpha1.ModeEphemeralContainer, 1500*time.Millisecond)
	r.Ready(v1alpha1.ModeEphemeralContainer, 5*time.Minute)
	expect(t, r, `
# HELP debugsession_ready_seconds Time from the creation of a debug session until its debugger ran and could be attached to, in seconds.
# TYPE debugsession_ready_seconds histogram
debugsession_ready_seconds_bucket{mode="EphemeralContainer",le="0.05"} 1
debugsession_ready_seconds_bucket{mode="EphemeralContainer",le="0.1"} 1
debugsession_ready_seconds_bucket{mode="EphemeralContainer",le="0.25"} 1
debugsession_ready_seconds_bucket{mode="EphemeralContainer",le="0.5"} 1
debugsession_ready_seconds_bucket{mode="EphemeralContainer",le="1"} 1
debugsession_ready_seconds_bucket{mode="EphemeralContainer",le="2.5"} 2
debugsession_ready_seconds_bucket{mode="EphemeralContainer",le="5"} 2
debugsession_ready_seconds_bucket{mode="EphemeralContainer",le="10"} 2
debugsession_ready_seconds_bucket{mode="EphemeralContainer",le="20"} 2
debugsession_ready_seconds_bucket{mode="EphemeralContainer",le="30"} 2
debugsession_ready_seconds_bucket{mode="EphemeralContainer",le="60"} 2
debugsession_ready_seconds_bucket{mode="EphemeralContainer",le="120"} 2
debugsession_ready_seconds_bucket{mode="EphemeralContainer",le="+Inf"} 3
debugsession_ready_seconds_sum{mode="EphemeralContainer"} 301.5
debugsession_ready_seconds_count{mode="EphemeralContainer"} 3
debugsession_ready_seconds_bucket{mode="PodCopy",le="0.05"} 0
debugsession_ready_seconds_bucket{mode="PodCopy",le="0.1"} 0
debugsession_ready_seconds_bucket{mode="PodCopy",le="0.25"} 0
debugsession_ready_seconds_bucket{mode="PodCopy",le="0.5"} 0
debugsession_ready_seconds_bucket{mode="PodCopy",le="1"} 0
debugsession_ready_seconds_bucket{mode="PodCopy",le="2.5"} 0
debugsession_ready_seconds_bucket{mode="PodCopy",le="5"} 0
debugsession_ready_seconds_bucket{mode="PodCopy",le="10"} 0
debugsession_ready_seconds_bucket{mode="PodCopy",le="20"} 0
debugsession_ready_seconds_bucket{mode="PodCopy",le="30"} 0
debugsession_ready_seconds_bucket{mode="PodCopy",le="60"} 0
debugsession_ready_seconds_bucket{mode="PodCopy",le="120"} 0
debugsession_ready_seconds_bucket{mode="PodCopy",le="+Inf"} 0
debugsession_ready_seconds_sum{mode="PodCopy"} 0
debugsession_ready_seconds_count{mode="PodCopy"} 0
`, "debugsession_ready_seconds")
}

func TestOutcomesAreCountedAndStartAtZero(t *testing.T) {
	r := metrics.New(none, noWatches)
	r.Ended(v1alpha1.OutcomeExpired, v1alpha1.ModePodCopy)
	r.Ended(v1alpha1.OutcomeExpired, v1alpha1.ModePodCopy)
	r.Ended(v1alpha1.OutcomeFailed, "")
	expect(t, r, `
# HELP debugsession_outcomes_total Debug sessions that have ended since the operator started, by how they ended.
# TYPE debugsession_outcomes_total counter
debugsession_outcomes_total{mode="EphemeralContainer",outcome="Completed"} 0
debugsession_outcomes_total{mode="EphemeralContainer",outcome="Expired"} 0
debugsession_outcomes_total{mode="EphemeralContainer",outcome="Failed"} 1
debugsession_outcomes_total{mode="EphemeralContainer",outcome="Rejected"} 0
debugsession_outcomes_total{mode="EphemeralContainer",outcome="TargetGone"} 0
debugsession_outcomes_total{mode="EphemeralContainer",outcome="Terminated"} 0
debugsession_outcomes_total{mode="EphemeralContainer",outcome="TimedOut"} 0
debugsession_outcomes_total{mode="PodCopy",outcome="Completed"} 0
debugsession_outcomes_total{mode="PodCopy",outcome="Expired"} 2
debugsession_outcomes_total{mode="PodCopy",outcome="Failed"} 0
debugsession_outcomes_total{mode="PodCopy",outcome="Rejected"} 0
debugsession_outcomes_total{mode="PodCopy",outcome="TargetGone"} 0
debugsession_outcomes_total{mode="PodCopy",outcome="Terminated"} 0
debugsession_outcomes_total{mode="PodCopy",outcome="TimedOut"} 0
`, "debugsession_outcomes_total")
}

func TestPrometheusHasNothingToObjectTo(t *testing.T) {
	r := metrics.New(none, noWatches)
	if err := prometheus.NewPedanticRegistry().Register(r); err != nil {
		t.Fatal(err)
	}
	problems, err := testutil.CollectAndLint(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
}

// A phase, mode or outcome that is added to the API must be given its zero too.
func TestEveryValueOfTheAPIHasItsZero(t *testing.T) {
	source, err := os.ReadFile("../../api/v1alpha1/debugsession_types.go")
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics.New(none, noWatches))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, family := range families {
		if family.GetName() == "debugsession_ready_seconds" {
			continue
		}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if !slices.Contains(got[label.GetName()], label.GetValue()) {
					got[label.GetName()] = append(got[label.GetName()], label.GetValue())
				}
			}
		}
	}
	for label, kind := range map[string]string{"phase": "Phase", "mode": "Mode", "outcome": "Outcome"} {
		enum := regexp.MustCompile(`Enum=(\S+)\ntype ` + kind + ` string`).FindSubmatch(source)
		if enum == nil {
			t.Fatalf("found no enum of type %s in the API", kind)
		}
		want := strings.Split(string(enum[1]), ";")
		slices.Sort(want)
		slices.Sort(got[label])
		if !slices.Equal(got[label], want) {
			t.Errorf("label %s starts with %v, the API has %v", label, got[label], want)
		}
	}
}
