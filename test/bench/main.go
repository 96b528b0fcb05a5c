// The bench measures the operator as it runs: its binary as a process of its own, against a real API server and etcd, with
// the rights and the webhooks that dist/install.yaml gives it. There is no kubelet: the bench says what one would.
//
// It prints one table and writes the same as JSON. What each figure means is in docs/performance.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// timeLimit is when the bench gives up: it is meant to take less than ten minutes.
const timeLimit = 20 * time.Minute

type flags struct {
	manager, install, out, only string
	pairs, burst, rounds, pods  int
	active, starts, expiring    int
	namespaces, classes, ended  int
	limit                       string
}

func (f *flags) bind(set *flag.FlagSet) {
	set.StringVar(&f.manager, "manager", "../../bin/manager", "The operator's binary.")
	set.StringVar(&f.install, "install", "../../dist/install.yaml", "The manifests it is installed with.")
	set.StringVar(&f.out, "out", "out", "The folder for bench.json and the logs.")
	set.StringVar(&f.only, "only", "", "Measure only these, comma-separated: "+strings.Join(names(), ", ")+".")
	set.IntVar(&f.pairs, "pairs", 60, "How many sessions are timed one after the other, each beside kubectl.")
	set.IntVar(&f.burst, "burst", 500, "How many sessions make a burst.")
	set.IntVar(&f.rounds, "rounds", 3, "How many bursts, of the operator and of the raw client each.")
	set.IntVar(&f.pods, "pods", 5000, "How many unrelated pods the memory is measured with.")
	set.IntVar(&f.namespaces, "namespaces", 0, "How many unrelated namespaces are beside those pods.")
	set.IntVar(&f.classes, "classes", 0, "How many unrelated classes are beside those pods.")
	set.IntVar(&f.active, "active", 1000, "How many active sessions the memory is measured with, and a restart.")
	set.IntVar(&f.expiring, "expiring", 2000, "How many sessions expire in the same second.")
	set.IntVar(&f.ended, "ended", 10000, "How many ended sessions are kept as records.")
	set.StringVar(&f.limit, "limit", "", "The memory that each process may take that is measured with ended sessions, or after a restart, such as 256Mi: in a cgroup of its own. Empty: as it likes.")
	set.IntVar(&f.starts, "starts", 3, "How many fresh processes each memory figure is the median of.")
}

// limitInBytes is the memory limit; 0 if there is none.
func (f *flags) limitInBytes() (int64, error) {
	if f.limit == "" {
		return 0, nil
	}
	limit, err := resource.ParseQuantity(f.limit)
	if err != nil || limit.Value() <= 0 {
		return 0, fmt.Errorf("-limit: %q is not an amount of memory such as 256Mi", f.limit)
	}
	return limit.Value(), nil
}

// measurement is a part of the bench. They share one API server, one after the other.
type measurement struct {
	name string
	run  func(context.Context, *bench) error
}

func measurements() []measurement {
	return []measurement{
		{"latency", measureLatency},
		{"requests", measureRequests},
		{"admission", measureAdmission},
		{"expiry", measureExpiry},
		{"burst", measureBurst},
		{"memory", measureMemory},
		{"restart", measureRestart},
		{"ended", measureEnded},
	}
}

func names() []string {
	var all []string
	for _, m := range measurements() {
		all = append(all, m.name)
	}
	return all
}

func main() {
	if err := run(flag.CommandLine, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(set *flag.FlagSet, args []string) (err error) {
	var f flags
	f.bind(set)
	if err := set.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	if err := os.MkdirAll(f.out, 0o755); err != nil {
		return err
	}

	b := &bench{flags: f, began: time.Now()}
	b.say("starting etcd and the API server")
	if err := b.start(ctx); err != nil {
		b.stop()
		return err
	}
	defer b.stop()
	for _, m := range measurements() {
		if f.only != "" && !slices.Contains(strings.Split(f.only, ","), m.name) {
			continue
		}
		b.say("measuring " + m.name)
		if err := m.run(ctx, b); err != nil {
			return fmt.Errorf("measuring %s: %w", m.name, err)
		}
	}
	b.result.Seconds = time.Since(b.began).Seconds()
	if err := b.result.write(filepath.Join(f.out, "bench.json")); err != nil {
		return err
	}
	b.result.print(os.Stdout)
	if failed := b.result.failed(); failed > 0 && os.Getenv("STRICT") == "1" {
		return fmt.Errorf("%d goals were missed that are not known to be, or by more than is known", failed)
	}
	return nil
}
