//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"
)

var errNotAllRunning = errors.New("not all components run")

// status prints one line for each component, and fails unless all run.
func status(context.Context) error {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "COMPONENT\tSTATE\tPID\tLOG")
	complete := true
	for _, c := range slices.Concat(startOrder("")...) {
		p, err := recorded(c.name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			fmt.Fprintf(table, "%s\tnot started\t\t\n", c.name)
			complete = false
		case err != nil:
			return err
		case p.alive():
			fmt.Fprintf(table, "%s\trunning\t%d\t%s\n", c.name, p.PID, logPath(c.name))
		default:
			fmt.Fprintf(table, "%s\tended\t\t%s\n", c.name, logPath(c.name))
			complete = false
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if !complete {
		return errNotAllRunning
	}
	return nil
}

// stopComponent ends one component, for tests of what happens then. Its data
// and its record stay, for start-component.
func stopComponent(_ context.Context, args []string) error {
	flags := flag.NewFlagSet("stop-component", flag.ContinueOnError)
	kill := flags.Bool("kill", false, "by SIGKILL instead of SIGTERM")
	if err := flags.Parse(args); err != nil {
		return usageError("stop-component: %v", err)
	}
	if flags.NArg() != 1 {
		return usageError("stop-component takes the name of a component")
	}
	p, _, unlock, err := openComponent(flags.Arg(0))
	if err != nil {
		return err
	}
	defer unlock()
	step := newStep(p.Name + " stopped")
	signal := syscall.SIGTERM
	if *kill {
		signal = syscall.SIGKILL
	}
	if err := p.stop(signal, 30*time.Second); err != nil {
		return fmt.Errorf("stop %s: %w", p.Name, err)
	}
	step.done()
	return nil
}

// startComponent starts a stopped component by its recorded command line.
func startComponent(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return usageError("start-component takes the name of a component")
	}
	p, c, unlock, err := openComponent(args[0])
	if err != nil {
		return err
	}
	defer unlock()
	if p.alive() {
		return fmt.Errorf("%s runs already, as process %d", p.Name, p.PID)
	}
	c.argv = p.Argv
	return startGroup(ctx, []component{c})
}

// openComponent finds a component's record and takes the lock.
func openComponent(name string) (*process, component, func(), error) {
	c, err := findComponent("", name)
	if err != nil {
		return nil, c, nil, err
	}
	unlock, err := lock()
	if err != nil {
		return nil, c, nil, err
	}
	p, err := recorded(c.name)
	if err != nil {
		unlock()
		if errors.Is(err, fs.ErrNotExist) {
			err = errors.New("there is no cluster; make one with `up`")
		}
		return nil, c, nil, err
	}
	return p, c, unlock, nil
}
