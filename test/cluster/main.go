// Command cluster runs a real, single-node Kubernetes on this machine for the
// end-to-end tests: built from Go modules and Debian packages, torn down
// without a trace. README.md says how to use it and what to expect.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// Exit codes. exitCannotRun is apart from failure, so that a Makefile can skip
// the end-to-end tests on such a machine and still fail when they fail.
const (
	exitFailure   = 1
	exitUsage     = 2
	exitCannotRun = 3
)

// exitError is an error that decides the exit code of the command.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

func cannotRun(format string, args ...any) error {
	return &exitError{exitCannotRun, fmt.Errorf(format, args...)}
}

// command is one subcommand. Those with no help line are for the tool itself.
type command struct {
	name, args, help string
	run              func(ctx context.Context, args []string) error
}

func main() {
	// An interrupted up takes down what it has started. SIGKILL cannot be
	// handled; the next up or down cleans after that.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "cluster:", err)
	code := exitFailure
	if exit := (*exitError)(nil); errors.As(err, &exit) {
		code = exit.code
	}
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) error {
	all := slices.Concat(buildCommands(), nodeCommands())
	if len(args) == 0 {
		printUsage(all)
		return usageError("name a subcommand")
	}
	if slices.Contains([]string{"help", "-h", "--help"}, args[0]) {
		printUsage(all)
		return nil
	}
	for _, c := range all {
		if c.name == args[0] {
			return c.run(ctx, args[1:])
		}
	}
	printUsage(all)
	return usageError("there is no subcommand %q", args[0])
}

func printUsage(all []command) {
	fmt.Fprint(os.Stderr, "A single-node Kubernetes on this machine, for tests. K8S_VERSION, such as 1.33, chooses another than the newest.\n\n")
	for _, c := range all {
		if c.help != "" {
			fmt.Fprintf(os.Stderr, "  %-44s %s\n", c.name+" "+c.args, c.help)
		}
	}
	fmt.Fprintln(os.Stderr)
}

// noArguments wraps a subcommand that takes none.
func noArguments(run func(ctx context.Context) error) func(context.Context, []string) error {
	return func(ctx context.Context, args []string) error {
		if len(args) > 0 {
			return usageError("unexpected argument %q", args[0])
		}
		return run(ctx)
	}
}
