package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

// row is a line of the table.
type row struct {
	*fault
	sessions         int
	longest          time.Duration // from when an end was wanted to no process; negative if there never was one
	allowed, remark  string
	took             time.Duration
	leaks, late, bad []string
	tale             string
}

func (s *stage) row() row {
	r := row{
		fault: s.fault, sessions: len(s.sessions), longest: -1, took: time.Since(s.started), allowed: s.allowed,
		remark: strings.Join(s.remarks, "; "), leaks: s.leaks, late: s.late, bad: s.wrong, tale: s.tale(),
	}
	if r.allowed == "" {
		r.allowed = v1alpha1.FormatDuration(s.within)
	}
	for _, h := range s.sessions {
		if seen, ever := h.processes(); ever && !seen.gone.IsZero() && !h.wanted().IsZero() {
			r.longest = max(r.longest, seen.gone.Sub(h.wanted()))
		}
	}
	return r
}

func (r *row) well() bool { return len(r.leaks)+len(r.late)+len(r.bad) == 0 }

// seconds writes a duration with one decimal, as the looks at the node are a tenth of a second apart.
func seconds(d time.Duration) string {
	if d < 0 {
		return "none ran"
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// together is how many gentle faults run at the same time.
const together = 5

// runAll runs the gentle faults together and the others one after the other, and returns their rows in the order given.
func (w *world) runAll(chosen []*fault) []row {
	rows := make([]row, len(chosen))
	var gentle sync.WaitGroup
	places := make(chan struct{}, together)
	for i, f := range chosen {
		if f.gentle {
			places <- struct{}{}
			gentle.Go(func() {
				rows[i] = w.one(f)
				<-places
			})
		}
	}
	gentle.Wait()
	for i, f := range chosen {
		if !f.gentle {
			rows[i] = w.one(f)
		}
	}
	return rows
}

func (w *world) one(f *fault) row {
	w.progress("%s: %s", f.name, f.broken)
	r := w.play(f)
	verdict := "ok"
	if !r.well() {
		verdict = "FAILED"
	}
	w.progress("%s: %s, longest %s, after %.0f s", f.name, verdict, seconds(r.longest), r.took.Seconds())
	if !r.well() || w.verbose {
		w.mu.Lock()
		fmt.Fprintf(os.Stderr, "\n%s: %s\n%s\n\n", f.name, f.broken, r.tale)
		w.mu.Unlock()
		if !r.well() {
			w.showOperator(r.took)
		}
	}
	return r
}

// conclude prints the table, and fails unless all is well.
func (w *world) conclude(rows []row) error {
	out := w.out
	if w.report != "" {
		file, err := os.Create(w.report)
		if err != nil {
			return err
		}
		defer file.Close()
		out = file
	}
	printTable(out, rows)
	if !summarise(out, rows) {
		return errNotWell
	}
	return nil
}

func printTable(out io.Writer, rows []row) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "FAULT\tSESSIONS\tWHAT WAS BROKEN\tLONGEST\tALLOWED\tLEAKS\tLATE\tWRONG")
	for i := range rows {
		r := &rows[i]
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%d\t%d\t%d\n",
			r.name, r.sessions, r.broken, seconds(r.longest), r.allowed, len(r.leaks), len(r.late), len(r.bad))
	}
	table.Flush()
	for i := range rows {
		r := &rows[i]
		if r.remark != "" {
			fmt.Fprintf(out, "%s: %s\n", r.name, r.remark)
		}
		for _, list := range [][]string{r.leaks, r.late, r.bad} {
			for _, line := range list {
				fmt.Fprintf(out, "%s: FAILED: %s\n", r.name, strings.ReplaceAll(line, "\n", "\n    "))
			}
		}
	}
}

// summarise prints the last line, and reports whether all is well.
func summarise(out io.Writer, rows []row) bool {
	faults, sessions, leaks, late, wrong := 0, 0, 0, 0, 0
	for i := range rows {
		faults++
		sessions += rows[i].sessions
		leaks += len(rows[i].leaks)
		late += len(rows[i].late)
		wrong += len(rows[i].bad)
	}
	fmt.Fprintf(out, "%d faults, %d sessions, %d leaks, %d late, %d wrong\n", faults, sessions, leaks, late, wrong)
	return leaks+late+wrong == 0
}
