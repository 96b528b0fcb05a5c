package main

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

// result is what bench.json holds. A part that was not measured is left out.
type result struct {
	Seconds            float64             `json:"seconds"`
	ApplyToInjected    *applyToInjected    `json:"apply_to_injected_ms,omitempty"`
	KubectlDebug       *kubectlDebug       `json:"kubectl_debug_ms,omitempty"`
	Burst              *burst              `json:"burst_sessions_per_s,omitempty"`
	Raw                *rawClient          `json:"raw_client_per_s,omitempty"`
	RequestsPerSession *requestsPerSession `json:"requests_per_session,omitempty"`
	Expiry             *expiry             `json:"expired_to_ended_ms,omitempty"`
	RSS                *memory             `json:"rss_bytes,omitempty"`
	Restart            *restarted          `json:"restart,omitempty"`
	Ended              *ended              `json:"ended_bytes,omitempty"`
	Admission          *admission          `json:"admission_ms,omitempty"`
	Goals              []goal              `json:"goals"`
}

// quantiles are in milliseconds.
type quantiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	N   int     `json:"n"`
}

// quantilesOf takes the values that are there, and computes none between them.
func quantilesOf(took []time.Duration) quantiles {
	if len(took) == 0 {
		return quantiles{}
	}
	sorted := slices.Sorted(slices.Values(took))
	at := func(q float64) float64 {
		rank := int(math.Ceil(q * float64(len(sorted))))
		return milliseconds(sorted[max(rank, 1)-1])
	}
	return quantiles{P50: at(0.5), P99: at(0.99), N: len(sorted)}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

type applyToInjected struct {
	quantiles
	// KubectlApply has the kubectl process in it that applies the session.
	KubectlApply quantiles `json:"kubectl_apply"`
}

type kubectlDebug struct {
	quantiles
	// OnTheWire is by the API server's clock, without the process.
	OnTheWire quantiles `json:"on_the_wire"`
}

// expiry is of sessions that expire in the same second.
type expiry struct {
	*ends
	// Tidied is how many milliseconds after they expired the last was let go.
	Tidied float64 `json:"tidied"`
	// Left is what they left behind, by kind.
	Left map[string]int `json:"left"`
	// Requests are what the operator asks for the end of one, with what is tidied up.
	Requests *tally `json:"requests"`
	// Raw is of a client that makes the same requests without looking at anything.
	Raw        *ends   `json:"raw"`
	RatioToRaw float64 `json:"ratio_to_raw"`
}

// ends is of sessions from when they expire until they have ended.
type ends struct {
	quantiles
	PerSecond float64 `json:"per_s"`
	// Processor is the processor time that each process takes for the end of one, in milliseconds.
	Processor processorTime `json:"processor_ms"`
}

func endsOf(late []time.Duration, processor processorTime) *ends {
	return &ends{quantilesOf(late), float64(len(late)) / slices.Max(late).Seconds(), processor}
}

func sum(left map[string]int) int {
	all := 0
	for _, n := range left {
		all += n
	}
	return all
}

type burst struct {
	Median           float64   `json:"median"`
	Rounds           []float64 `json:"rounds"`
	Ratios           []float64 `json:"ratios_to_raw"`
	RatioToRaw       float64   `json:"ratio_to_raw"`
	Sessions         int       `json:"sessions"`
	Workers          int       `json:"workers"`
	WritesPerSession []string  `json:"writes_per_session"`
}

type rawClient struct {
	Median  float64   `json:"median"`
	Rounds  []float64 `json:"rounds"`
	Workers int       `json:"workers"`
}

type requestsPerSession struct {
	PerMode map[v1alpha1.Mode]*tally `json:"per_mode"`
	// Settled is what was asked while nothing happened, in all and not per session.
	Settled *tally `json:"settled"`
}

type tally struct {
	Total float64            `json:"total"`
	Each  map[string]float64 `json:"each"`
	// Leases are the requests about the leader's lease, in all.
	Leases int `json:"leases"`
}

type admission struct {
	quantiles
	With    quantiles `json:"with"`
	Without quantiles `json:"without"`
	// Warnings are the validating webhook alone.
	Warnings *warnings `json:"warnings,omitempty"`
}

type warnings struct {
	With    quantiles `json:"with"`
	Without quantiles `json:"without"`
}

// memory is in bytes.
type memory struct {
	Empty          footprint `json:"empty"`
	Pods           footprint `json:"pods"`
	PodsOverEmpty  float64   `json:"pods_over_empty"`
	Active         footprint `json:"active"`
	ActiveFresh    footprint `json:"active_after_restart"`
	PerSession     int64     `json:"per_session"`
	ActiveSessions int       `json:"active_sessions"`

	UnrelatedPods       int `json:"unrelated_pods"`
	UnrelatedNamespaces int `json:"unrelated_namespaces,omitempty"`
	UnrelatedClasses    int `json:"unrelated_classes,omitempty"`
}

type footprint struct {
	RSS  int64 `json:"rss"`
	Heap int64 `json:"go_heap_inuse"`
}

func (r *result) write(path string) error {
	r.Goals = r.goals()
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(content, '\n'), 0o644)
}
