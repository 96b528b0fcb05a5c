package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// table has a name, a figure and what it is on each line.
type table struct{ *tabwriter.Writer }

func (t table) row(name, figure, about string) { fmt.Fprintf(t, "%s\t%s\t%s\n", name, figure, about) }

func (t table) quantiles(name string, q quantiles, about string) {
	t.row(name, fmt.Sprintf("p50 %.1f ms, p99 %.1f ms", q.P50, q.P99), about)
}

// charged is what a process took that had a cgroup of its own.
func (t table) charged(c *charged) {
	if c == nil {
		return
	}
	t.row(fmt.Sprintf("  in a cgroup of %.0f MiB", mebi(c.Limit)), fmt.Sprintf("at its peak %.1f MiB", mebi(c.Peak)),
		fmt.Sprintf("now %.1f MiB of its own and %.1f MiB of files; reached its limit %d times; killed %d times", mebi(c.Anon), mebi(c.File), c.AtTop, c.Killed))
}

func (r *result) print(out io.Writer) {
	t := table{tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	r.printLatency(t)
	r.printBurst(t)
	r.printExpiry(t)
	r.printRequests(t)
	r.printMemory(t)
	r.printRestart(t)
	r.printEnded(t)
	for _, g := range r.goals() {
		t.row("goal: "+g.Name, fmt.Sprintf("%.2f", g.Is), g.verdict())
	}
	t.row("took", fmt.Sprintf("%.0f s", r.Seconds), "")
	t.Flush()
}

func (r *result) printLatency(t table) {
	if a, k := r.ApplyToInjected, r.KubectlDebug; a != nil {
		t.quantiles("apply to injected", a.quantiles, "from sending the session to the watch event with the debugger in the pod")
		t.quantiles("kubectl debug", k.quantiles, "the kubectl process, start to exit, --attach=false, same pods")
		t.quantiles("  on the wire", k.OnTheWire, "by the API server's clock: its GET to the answer to its PATCH")
		t.quantiles("kubectl apply to injected", a.KubectlApply, "from starting kubectl apply to the same watch event")
	}
	if a := r.Admission; a != nil {
		t.quantiles("admission", a.quantiles, "a creation with webhooks, less the p50 without")
		t.quantiles("  with webhooks", a.With, "")
		t.quantiles("  without", a.Without, "")
		if w := a.Warnings; w != nil {
			t.quantiles("validation with warnings", w.With, fmt.Sprintf("the webhook alone; %.1f times the p50 without", w.With.P50/w.Without.P50))
			t.quantiles("  without", w.Without, "of a session whose class is not there: its target is not looked at")
		}
	}
}

func (r *result) printBurst(t table) {
	if b := r.Burst; b != nil {
		t.row("burst", fmt.Sprintf("%.0f sessions/s", b.Median),
			fmt.Sprintf("%d sessions, creation to Active; rounds %.0f", b.Sessions, b.Rounds))
		t.row("raw client", fmt.Sprintf("%.0f sessions/s", r.Raw.Median),
			fmt.Sprintf("the same creations and the operator's %d writes each, %d workers; rounds %.0f", len(b.WritesPerSession), b.Workers, r.Raw.Rounds))
	}
}

func (r *result) printExpiry(t table) {
	e := r.Expiry
	if e == nil {
		return
	}
	t.quantiles("expiry to Ended", e.quantiles, fmt.Sprintf("%d sessions that expire in the same second, half of them copies; %.0f a second; %d objects left behind",
		e.N, e.PerSecond, sum(e.Left)))
	t.row("  tidied up", fmt.Sprintf("%.1f s", e.Tidied/1000), "until the last was let go")
	if e.Raw != nil {
		t.quantiles("  raw client", e.Raw.quantiles, fmt.Sprintf("%d of them, the same requests, %d workers; %.0f a second: the operator makes %.2f of it",
			e.Raw.N, workers, e.Raw.PerSecond, e.RatioToRaw))
	}
	t.row("  requests", fmt.Sprintf("%.1f", e.Requests.Total), "for the end of one, with what is tidied up")
	for _, what := range slices.Sorted(maps.Keys(e.Requests.Each)) {
		t.row("    "+what, fmt.Sprintf("%.2f", e.Requests.Each[what]), "")
	}
	for _, who := range slices.Sorted(maps.Keys(e.Processor)) {
		about := "for the end of one"
		if e.Raw != nil {
			about += fmt.Sprintf("; with the raw client %.1f ms", e.Raw.Processor[who])
		}
		t.row("  processor time, "+who, fmt.Sprintf("%.1f ms", e.Processor[who]), about)
	}
}

func (r *result) printRequests(t table) {
	if r.RequestsPerSession == nil {
		return
	}
	for _, mode := range r.modes() {
		counts := r.RequestsPerSession.PerMode[mode]
		t.row("requests per session, "+string(mode), fmt.Sprintf("%.1f", counts.Total),
			fmt.Sprintf("creation to Ended; %d about the lease, in all", counts.Leases))
		for _, what := range slices.Sorted(maps.Keys(counts.Each)) {
			t.row("  "+what, fmt.Sprintf("%.1f", counts.Each[what]), "")
		}
	}
	settled := r.RequestsPerSession.Settled
	t.row("requests while nothing happens", fmt.Sprintf("%.0f", settled.Total),
		fmt.Sprintf("%d active and %d ended sessions, %v; %d about the lease; %s",
			counted, 2*counted, quiet, settled.Leases, strings.Join(slices.Sorted(maps.Keys(settled.Each)), ", ")))
}

func (r *result) printMemory(t table) {
	m := r.RSS
	if m == nil {
		return
	}
	row := func(name string, f footprint, about string) {
		t.row(name, fmt.Sprintf("%.1f MiB, Go heap %.1f MiB", mebi(f.RSS), mebi(f.Heap)), about)
	}
	row("memory, no pods", m.Empty, "RSS of a fresh process")
	row(fmt.Sprintf("memory, %d unrelated pods", m.UnrelatedPods), m.Pods,
		fmt.Sprintf("%+.1f%%; with %d namespaces and %d classes more", 100*m.PodsOverEmpty, m.UnrelatedNamespaces, m.UnrelatedClasses))
	row(fmt.Sprintf("memory, %d active sessions", m.ActiveSessions), m.ActiveFresh, fmt.Sprintf("%d bytes a session, after a restart", m.PerSession))
	row("  that started them", m.Active, "with the garbage of having done so")
}

func (r *result) printRestart(t table) {
	s := r.Restart
	if s == nil {
		return
	}
	t.row(fmt.Sprintf("restart with %d active sessions", s.Active), fmt.Sprintf("%.1f s", s.Watching/1000),
		fmt.Sprintf("from starting the process until each of their pods is watched; ready after %.1f s, leading after %.1f s", s.Ready/1000, s.Leading/1000))
	t.quantiles("  what had expired, to Ended", s.Overdue, fmt.Sprintf("from starting the process: %d sessions that expired while none ran, half of them copies", s.Overdue.N))
	t.row("  requests", fmt.Sprintf("%d", s.Requests), fmt.Sprintf("until all of that was done; %d in the second with the most; %d were turned away (429); then %.0f in %v",
		s.InASecond, s.Refused, s.Settled.Total, quiet))
	t.row("  memory", fmt.Sprintf("%.1f MiB, Go heap %.1f MiB", mebi(s.RSS), mebi(s.Heap)), fmt.Sprintf("RSS at its peak %.1f MiB", mebi(s.Peak)))
	t.charged(s.Charged)
}

func (r *result) printEnded(t table) {
	e := r.Ended
	if e == nil {
		return
	}
	for _, row := range []struct {
		name string
		replica
	}{
		{"leader, as they came", e.Leader.Came}, {"leader, restarted", e.Leader.Restarted},
		{"follower, as they came", e.Follower.Came}, {"follower, restarted", e.Follower.Restarted},
	} {
		t.row(fmt.Sprintf("%d ended sessions, %s", e.Sessions, row.name), fmt.Sprintf("%.1f MiB, at its peak %.1f MiB", mebi(row.RSS), mebi(row.Peak)),
			fmt.Sprintf("%d bytes of RSS and %d bytes of Go heap a session", row.PerSession.RSS, row.PerSession.Heap))
		t.charged(row.Charged)
	}
}

func mebi(bytes int64) float64 { return float64(bytes) / (1 << 20) }
