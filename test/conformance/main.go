// Command conformance runs the real kubectl debug and this project's builders on identical pods against a real API
// server, and compares what the two left there, field by field. README.md says how to run it, how to add a case, and
// what is compared.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options are the command's flags.
type options struct {
	cases   string
	random  int
	seed    uint64
	verbose bool
}

func main() {
	o := options{}
	flag.StringVar(&o.cases, "cases", "cases", "folder of the files of cases")
	flag.IntVar(&o.random, "random", 0, "how many further cases to make up")
	flag.Uint64Var(&o.seed, "seed", 0, "seed of the made-up cases; 0: another one each time")
	flag.BoolVar(&o.verbose, "v", false, "show the differences of listed cases too")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		stop()
		os.Exit(1)
	}
}

var errFailures = errors.New("something differs that is not listed")

func run(ctx context.Context, o options, out io.Writer) error {
	list, err := loadDivergences()
	if err != nil {
		return err
	}
	shapes, err := loadShapes(o.cases)
	if err != nil {
		return err
	}
	if o.random > 0 {
		if o.seed == 0 {
			o.seed = uint64(time.Now().UnixNano())
		}
		fmt.Fprintf(out, "%d cases made up from seed %d (-random %d -seed %d makes the same ones)\n", o.random, o.seed, o.random, o.seed)
		shapes = append(shapes, madeUp(o.seed, o.random)...)
	}
	cluster, err := startCluster(ctx)
	if err != nil {
		return err
	}
	results, err := runAll(ctx, cluster, shapes, list)
	if stopErr := cluster.stop(); err == nil && stopErr != nil {
		err = stopErr
	}
	if err != nil {
		return err
	}
	printTable(out, results, o.verbose)
	return summarise(out, results)
}
