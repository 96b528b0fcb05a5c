package metrics_test

import (
	"errors"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testclock "k8s.io/utils/clock/testing"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/metrics"
)

func session(phase v1alpha1.Phase, mode v1alpha1.Mode) *v1alpha1.DebugSession {
	return &v1alpha1.DebugSession{
		Spec:   v1alpha1.DebugSessionSpec{Mode: mode},
		Status: v1alpha1.DebugSessionStatus{Phase: phase},
	}
}

// now is when the sessions of these tests are counted.
var now = testclock.NewFakePassiveClock(fixture.Created.Add(time.Hour))

func none() ([]*v1alpha1.DebugSession, error) { return nil, nil }

func noWatches() int { return 0 }

func expect(t *testing.T, r *metrics.Recorder, want string, names ...string) {
	t.Helper()
	if err := testutil.CollectAndCompare(r, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
}

// nonzero returns the series of a metric that are not zero, by the values of their labels in order of the labels' names.
func nonzero(t *testing.T, r *metrics.Recorder, name string) map[string]float64 {
	t.Helper()
	got := map[string]float64{}
	for _, metric := range gather(t, r)[name].GetMetric() {
		var labels []string
		for _, label := range metric.GetLabel() {
			labels = append(labels, label.GetValue())
		}
		if value := metric.GetGauge().GetValue() + metric.GetCounter().GetValue(); value != 0 {
			got[strings.Join(labels, " ")] = value
		}
	}
	return got
}

func gather(t *testing.T, r *metrics.Recorder) map[string]*dto.MetricFamily {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(r)
	list, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	families := map[string]*dto.MetricFamily{}
	for _, family := range list {
		families[family.GetName()] = family
	}
	return families
}

func TestSessionsAreCountedAtEachScrape(t *testing.T) {
	sessions := []*v1alpha1.DebugSession{
		session("", ""),
		session(v1alpha1.PhasePending, v1alpha1.ModeEphemeralContainer),
		session(v1alpha1.PhaseActive, v1alpha1.ModePodCopy),
	}
	r := metrics.New(func() ([]*v1alpha1.DebugSession, error) { return sessions, nil }, noWatches, now)
	want := map[string]float64{"EphemeralContainer Pending": 2, "PodCopy Active": 1}
	if got := nonzero(t, r, "debugsession_sessions"); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}

	sessions = []*v1alpha1.DebugSession{session(v1alpha1.PhaseEnded, v1alpha1.ModePodCopy)}
	want = map[string]float64{"PodCopy Ended": 1}
	if got := nonzero(t, r, "debugsession_sessions"); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSessionsThatCannotBeListedAreLeftOut(t *testing.T) {
	r := metrics.New(func() ([]*v1alpha1.DebugSession, error) {
		return []*v1alpha1.DebugSession{session(v1alpha1.PhaseActive, "")}, errors.New("no cache yet")
	}, func() int { return 3 }, now)
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
	r := metrics.New(none, noWatches, now)
	r.Ready("", -time.Second)
	r.Ready(v1alpha1.ModeEphemeralContainer, 1500*time.Millisecond)
	r.Ready(v1alpha1.ModeEphemeralContainer, 5*time.Minute)
	want := []uint64{1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2} // of up to 50ms, 100ms, 250ms, 500ms, 1s, 2.5s and so on
	series := gather(t, r)["debugsession_ready_seconds"].GetMetric()
	if len(series) != len(v1alpha1.Modes()) {
		t.Errorf("%d series, want one for each mode", len(series))
	}
	for _, metric := range series {
		mode, counted := metric.GetLabel()[0].GetValue(), metric.GetHistogram()
		if mode != string(v1alpha1.ModeEphemeralContainer) {
			if counted.GetSampleCount() != 0 {
				t.Errorf("%s has %d", mode, counted.GetSampleCount())
			}
			continue
		}
		var got []uint64
		for _, bucket := range counted.GetBucket() {
			got = append(got, bucket.GetCumulativeCount())
		}
		if !slices.Equal(got, want) || counted.GetSampleCount() != 3 || counted.GetSampleSum() != 301.5 {
			t.Errorf("buckets %v, %d in all, %g seconds", got, counted.GetSampleCount(), counted.GetSampleSum())
		}
	}
}

func ended(outcome v1alpha1.Outcome, reason string, mode v1alpha1.Mode, late ...time.Duration) *v1alpha1.DebugSession {
	s := session(v1alpha1.PhaseEnded, mode)
	s.Status.Outcome, s.Status.Reason = outcome, reason
	if len(late) > 0 {
		at := metav1.NewTime(fixture.Created)
		then := metav1.NewTime(fixture.Created.Add(late[0]))
		s.Status.ExpiresAt, s.Status.EndedAt = &at, &then
	}
	return s
}

func TestOutcomesAreCounted(t *testing.T) {
	r := metrics.New(none, noWatches, now)
	r.Ended(ended(v1alpha1.OutcomeExpired, "Expired", v1alpha1.ModePodCopy))
	r.Ended(ended(v1alpha1.OutcomeExpired, "Expired", v1alpha1.ModePodCopy))
	r.Ended(ended(v1alpha1.OutcomeRejected, v1alpha1.ReasonClassForbids, v1alpha1.ModePodCopy))
	r.Ended(ended(v1alpha1.OutcomeRejected, v1alpha1.ReasonUseForbidden, ""))
	r.Ended(ended(v1alpha1.OutcomeFailed, "OOMKilled", ""))
	want := map[string]float64{"EphemeralContainer Failed": 1, "PodCopy Expired": 2, "PodCopy Rejected": 1,
		"EphemeralContainer Rejected": 1}
	if got := nonzero(t, r, "debugsession_outcomes_total"); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	want = map[string]float64{"Expired Expired": 2, "Rejected ClassForbids": 1, "Rejected UseForbidden": 1, "Failed OOMKilled": 1}
	if got := nonzero(t, r, "debugsession_end_reasons_total"); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// What ends before its time is not early: it is not counted.
func TestLateEndsAreMeasured(t *testing.T) {
	r := metrics.New(none, noWatches, now)
	for _, late := range []time.Duration{-time.Minute, 0, 3 * time.Second, time.Hour} {
		r.Ended(ended(v1alpha1.OutcomeExpired, "Expired", v1alpha1.ModeNode, late))
	}
	r.Ended(ended(v1alpha1.OutcomeRejected, "Invalid", v1alpha1.ModeNode))
	for _, metric := range gather(t, r)["debugsession_late_seconds"].GetMetric() {
		want := uint64(0)
		if metric.GetLabel()[0].GetValue() == "Node" {
			want = 3
			if sum := metric.GetHistogram().GetSampleSum(); sum != 3603 {
				t.Errorf("the sum is %v", sum)
			}
		}
		if n := metric.GetHistogram().GetSampleCount(); n != want {
			t.Errorf("%v: %d, want %d", metric.GetLabel(), n, want)
		}
	}
}

// at is a session of a class that the operator has found, some time before now.
func at(phase v1alpha1.Phase, class string, change func(*v1alpha1.DebugSession)) *v1alpha1.DebugSession {
	s := session(phase, "")
	s.CreationTimestamp = metav1.NewTime(fixture.Created)
	s.Spec.ClassName = "whatever somebody wrote"
	if class != "" {
		s.Status.Class = &v1alpha1.ClassStatus{Name: class}
	}
	if change != nil {
		change(s)
	}
	return s
}

func since(kind string, before time.Duration) func(*v1alpha1.DebugSession) {
	return func(s *v1alpha1.DebugSession) {
		s.Status.Conditions = append(s.Status.Conditions,
			metav1.Condition{Type: kind, LastTransitionTime: metav1.NewTime(now.Now().Add(-before))})
	}
}

func expired(before time.Duration) func(*v1alpha1.DebugSession) {
	return func(s *v1alpha1.DebugSession) { at := metav1.NewTime(now.Now().Add(-before)); s.Status.ExpiresAt = &at }
}

func TestWhatTakesTooLongIsSeen(t *testing.T) {
	recorded := func(s *v1alpha1.DebugSession) {
		expired(time.Hour)(s)
		since(v1alpha1.ConditionRecorded, time.Second)(s)
		s.Status.EndedAt = s.Status.ExpiresAt
	}
	sessions := []*v1alpha1.DebugSession{
		at(v1alpha1.PhaseAwaitingApproval, "production", since(v1alpha1.ConditionApproved, 5*time.Minute)),
		at(v1alpha1.PhaseAwaitingApproval, "production", since(v1alpha1.ConditionApproved, 2*time.Minute)),
		at(v1alpha1.PhaseAwaitingApproval, "node", nil),
		at(v1alpha1.PhasePending, "", nil),
		at(v1alpha1.PhaseEnded, "production", expired(time.Hour)),
		at(v1alpha1.PhaseActive, "production", expired(7*time.Second)),
		at(v1alpha1.PhaseActive, "production", expired(-time.Minute)),
		at(v1alpha1.PhaseEnding, "production", recorded),
		at(v1alpha1.PhaseEnding, "node", func(s *v1alpha1.DebugSession) {
			since(v1alpha1.ConditionReady, 90*time.Second)(s)
			since(v1alpha1.ConditionApproved, 10*time.Minute)(s)
		}),
	}
	r := metrics.New(func() ([]*v1alpha1.DebugSession, error) { return sessions, nil }, noWatches, now)
	for name, want := range map[string]map[string]float64{
		"debugsession_class_sessions": {
			"production AwaitingApproval": 2, "node AwaitingApproval": 1, "production Active": 2, "production Ending": 1, "node Ending": 1,
		},
		"debugsession_approval_wait_seconds": {"production": 300, "node": 3600},
		"debugsession_ending_seconds":        {"": 90},
		"debugsession_overdue_seconds":       {"": 7},
	} {
		if got := nonzero(t, r, name); !maps.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestPrometheusHasNothingToObjectTo(t *testing.T) {
	r := metrics.New(none, noWatches, now)
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

// A phase, mode or outcome that is added to the API must be given its zero too, in every combination.
func TestEveryValueOfTheAPIHasItsZero(t *testing.T) {
	source, err := os.ReadFile("../../api/v1alpha1/debugsession_types.go")
	if err != nil {
		t.Fatal(err)
	}
	values := func(kind string) []string {
		enum := regexp.MustCompile(`Enum=(\S+)\ntype ` + kind + ` string`).FindSubmatch(source)
		if enum == nil {
			t.Fatalf("found no enum of type %s in the API", kind)
		}
		return strings.Split(string(enum[1]), ";")
	}
	families := gather(t, metrics.New(none, noWatches, now))
	for name, label := range map[string]string{"debugsession_sessions": "Phase", "debugsession_outcomes_total": "Outcome"} {
		var got, want []string
		for _, metric := range families[name].GetMetric() {
			got = append(got, metric.GetLabel()[0].GetValue()+" "+metric.GetLabel()[1].GetValue())
		}
		for _, value := range values(label) {
			for _, mode := range values("Mode") {
				want = append(want, mode+" "+value)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s starts with %v, the API has %v", name, got, want)
		}
	}
}
