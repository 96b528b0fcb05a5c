package main

import (
	"fmt"
	"maps"
	"slices"

	"debugsession.dev/operator/api/v1alpha1"
)

// goal is what a figure is meant to be.
type goal struct {
	Name string  `json:"name"`
	Is   float64 `json:"is"`
	// Goal is the most that Is may be, or the least if AtLeast is true.
	Goal    float64 `json:"goal"`
	AtLeast bool    `json:"at_least,omitempty"`
	Met     bool    `json:"met"`
	// Short is why the goal is known to be missed; empty if it is not. Then Is may be what Bound says, and no worse.
	Short string  `json:"short,omitempty"`
	Bound float64 `json:"bound,omitempty"`
}

func atMost(name string, is, most float64) goal {
	return goal{Name: name, Is: is, Goal: most, Met: is <= most}
}

func atLeast(name string, is, least float64) goal {
	return goal{Name: name, Is: is, Goal: least, AtLeast: true, Met: is >= least}
}

// known is the goal with why it is missed, and how far.
func (g goal) known(bound float64, short string) goal {
	g.Bound, g.Short = bound, short
	return g
}

// fails reports whether the goal is missed, and not as it is known to be.
func (g goal) fails() bool {
	return !g.Met && (g.Short == "" || g.AtLeast && g.Is < g.Bound || !g.AtLeast && g.Is > g.Bound)
}

func (g goal) verdict() string {
	sign := "at most"
	if g.AtLeast {
		sign = "at least"
	}
	is := fmt.Sprintf("%s %.2f: ", sign, g.Goal)
	switch {
	case g.Met:
		return is + "met"
	case g.Short == "":
		return is + "MISSED"
	case g.fails():
		return is + fmt.Sprintf("MISSED, and by more than is known, which is up to %.2f: %s", g.Bound, g.Short)
	default:
		return is + fmt.Sprintf("missed, and known to be (%s %.2f): %s", sign, g.Bound, g.Short)
	}
}

const (
	oneAfterAnother = "admission with its review, the watch of the pod and the write that records what will be made come one after the other, and before the patch"
	twoCores        = "the API server, etcd, the made-up node and the operator share the machine's processors"
)

// requestsOf are the goal of a mode's requests and how far it is missed.
var requestsOf = map[v1alpha1.Mode]struct{ goal, bound float64 }{
	v1alpha1.ModeEphemeralContainer: {10, 16},
	v1alpha1.ModePodCopy:            {12, 17},
}

// goals are those of what was measured, in the order of docs/performance.md.
func (r *result) goals() []goal {
	var goals []goal
	add := func(some ...goal) { goals = append(goals, some...) }
	if a := r.ApplyToInjected; a != nil {
		wire := r.KubectlDebug.OnTheWire.P50
		add(atMost("apply to injected, p50 in ms", a.P50, wire+5).known(3*wire, oneAfterAnother),
			atMost("apply to injected, p50 as a share of kubectl debug's", a.P50/r.KubectlDebug.P50, 1.0/3).known(0.6, oneAfterAnother),
			atMost("apply to injected, p99 in ms", a.P99, 60).known(150, twoCores))
	}
	if r.RequestsPerSession != nil {
		for _, mode := range r.modes() {
			t, of := r.RequestsPerSession.PerMode[mode], requestsOf[mode]
			writes := t.Each["patch debugsessions"] + t.Each["patch debugsessions/status"]
			add(atMost("requests per session, "+string(mode), t.Total, of.goal).
				known(of.bound, "a Role and its binding cost four, events two, and admission's look at the target one"),
				atMost("writes of the session itself, "+string(mode), writes, 3).
					known(4.2, "what will be made, Active and Ended are one each, and the finalizer cannot be written with a status"))
		}
		add(atMost("requests while nothing happens", r.RequestsPerSession.Settled.Total, 0))
	}
	if r.RSS != nil {
		add(atMost("memory an active session, in kB", float64(r.RSS.PerSession)/1000, 25))
		flat := atMost("memory with unrelated objects over that without", r.RSS.PodsOverEmpty, 0.05)
		if r.RSS.UnrelatedNamespaces+r.RSS.UnrelatedClasses > 0 {
			flat = flat.known(0.25, "namespaces and classes are cached, some 2 kB each")
		}
		add(flat)
	}
	if r.Ended != nil {
		add(atMost(fmt.Sprintf("peak of RSS with %d ended sessions, in MiB", r.Ended.Sessions), mebi(r.Ended.peak()), mebi(memoryLimit)))
		for _, one := range r.Ended.all() {
			if one.Charged != nil {
				add(atMost("killed for its memory with ended sessions", float64(one.Charged.Killed), 0))
			}
		}
	}
	if s := r.Restart; s != nil {
		add(atMost("restart to all pods watched, in ms", s.Watching, restartWithin),
			atMost("restart to the end of what had expired, p99 in ms", s.Overdue.P99, restartWithin),
			atMost("requests that the API server turned away after a restart", float64(s.Refused), 0),
			atMost("requests while nothing happens, after a restart", s.Settled.Total, 0))
		if s.Charged != nil {
			add(atMost("killed for its memory with active sessions", float64(s.Charged.Killed), 0))
		}
	}
	if e := r.Expiry; e != nil {
		add(atLeast("sessions that end in a second", e.PerSecond, 2.5*49).known(20, twoCores+", and a client that only writes does not get there either"),
			atMost("expiry to Ended, p99 in ms", e.P99, 10_000).known(90_000, twoCores),
			atMost("objects left behind by sessions that expired", float64(sum(e.Left)), 0))
		if e.Raw != nil {
			add(atLeast("sessions that end in a second, as a share of the raw client's", e.RatioToRaw, 0.7))
		}
	}
	if r.Burst != nil {
		add(atLeast("burst as a share of the raw client's", r.Burst.RatioToRaw, 0.7))
	}
	if r.Admission != nil {
		add(atMost("admission over none, p99 in ms", r.Admission.P99, 8).known(40, "the review and the look at the target are requests to an API server on the same processors"))
	}
	return goals
}

func (r *result) modes() []v1alpha1.Mode {
	return slices.Sorted(maps.Keys(r.RequestsPerSession.PerMode))
}

// failed is how many goals fail.
func (r *result) failed() int {
	failed := 0
	for _, g := range r.goals() {
		if g.fails() {
			failed++
		}
	}
	return failed
}
