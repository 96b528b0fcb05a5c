// Command chaos breaks a real cluster while debugging sessions run in it: it kills the operator, the API server, etcd and the
// kubelet, freezes and scales, deletes targets and namespaces, and lets debuggers resist. After each fault it looks at the
// API server and at the node's /proc for what was left, was late, or is wrong. README.md says how to run it and how to add
// a fault; docs/reliability.md has a run's table.
//
// `make chaos` runs it: test/with-cluster.sh brings the cluster up, builds the operator's image and says in INSTALL which
// file installs it. It needs the cluster of test/cluster, as it reaches into the node.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

// timeLimit is for the whole run: one that hangs fails.
const timeLimit = 45 * time.Minute

// options are the command's flags.
type options struct {
	cluster string
	run     string
	report  string
	short   bool
	list    bool
	verbose bool
	burst   int
}

func main() {
	o := options{}
	flag.StringVar(&o.cluster, "cluster", "bin/cluster", "The test/cluster tool, which stops and starts components.")
	flag.StringVar(&o.run, "run", "", "Run only the faults whose names match this regular expression.")
	flag.StringVar(&o.report, "report", "", "Write the table to this file instead of standard output.")
	flag.BoolVar(&o.short, "short", false, "Run only the quick faults with the most coverage.")
	flag.BoolVar(&o.list, "list", false, "List the faults without running any.")
	flag.BoolVar(&o.verbose, "v", false, "Print the history of every fault, not only of those that failed.")
	flag.IntVar(&o.burst, "burst", 0, "How many sessions expire in the same second; 0 runs the bursts that -list shows.")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	if err := run(ctx, &o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		cancel()
		stop()
		os.Exit(1)
	}
}

var errNotWell = errors.New("something leaked, was late, or went wrong")

func run(ctx context.Context, o *options, out io.Writer) error {
	chosen, err := choose(o)
	if err != nil {
		return err
	}
	if o.list {
		for _, f := range chosen {
			fmt.Fprintf(out, "%-28s %s\n", f.name, f.broken)
		}
		return nil
	}
	w, err := newWorld(ctx, o, out)
	if err != nil {
		return err
	}
	defer w.close()
	rows := w.runAll(chosen)
	rows = append(rows, w.namespacesGone()...)
	return w.conclude(rows)
}

// choose returns the faults that the flags ask for.
func choose(o *options) ([]*fault, error) {
	pattern, err := regexp.Compile(o.run)
	if err != nil {
		return nil, fmt.Errorf("-run: %w", err)
	}
	var chosen []*fault
	for _, f := range faults(o) {
		if pattern.MatchString(f.name) && (f.short || !o.short) {
			chosen = append(chosen, f)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no fault matches %q; -list lists them", o.run)
	}
	return chosen, nil
}
