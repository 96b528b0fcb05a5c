package command

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/archive"
	"debugsession.dev/operator/internal/dbgcli/story"
	"debugsession.dev/operator/internal/dbgcli/terminal"
)

type cpOptions struct {
	*environment
	session    string
	upload     bool
	here       string // the path on this machine
	there      string // the path in the debugger
	retries    int
	noPreserve bool
	staging    string // what the names begin with of what is not in the debugger as a whole yet
}

func newCp(env *environment) *cobra.Command {
	o := &cpOptions{environment: env}
	cmd := &cobra.Command{
		Use:   "cp [NAME]:PATH PATH | cp PATH [NAME]:PATH",
		Short: "Copy files to and from a session's debugger",
		Long: `Copy files to and from a session's debugger, if its class grants Exec access: like kubectl cp, without the names of pod and container.
The target's files are under /proc/1/root in a debugger that shares the target's processes. The debugger's image needs tar, and sh to copy to it.

A lost connection restarts the copy. A file appears at its destination only once it is complete. Links are skipped.`,
		Example: `  # Fetch a log of the target, and add a tool to the debugger
  kubectl dbg cp :/proc/1/root/var/log/app.log .
  kubectl dbg cp ./strace :/usr/local/bin/`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			if err := o.parse(args[0], args[1]); err != nil {
				return err
			}
			return o.run(ctx)
		},
	}
	cmd.Flags().IntVar(&o.retries, "retries", defaultRetries, "How often to retry after a lost connection; unlimited if negative.")
	cmd.Flags().BoolVar(&o.noPreserve, "no-preserve", false, "Do not preserve owner and permissions of what is copied to the debugger.")
	return cmd
}

// defaultRetries outlast half a minute without a connection.
const defaultRetries = 8

// parse finds out which of the two paths is in the debugger: the one with a colon, unless that is a drive's or comes after a slash.
func (o *cpOptions) parse(from, to string) error {
	source, isSource := inDebugger(from)
	target, isTarget := inDebugger(to)
	switch {
	case isSource && isTarget:
		return errors.New("one of the two paths must be local: write ./NAME for a file whose name has a colon")
	case !isSource && !isTarget:
		return fmt.Errorf("one of the two paths must be in the debugger: kubectl dbg cp :%s %s, or kubectl dbg cp %[1]s :%[2]s", from, to)
	case isSource:
		o.session, o.there, o.here = source[0], source[1], to
	default:
		o.session, o.there, o.here, o.upload = target[0], target[1], from, true
	}
	if o.there == "" || o.here == "" {
		return fmt.Errorf("a path is missing: kubectl dbg cp %s/PATH PATH", o.session+":")
	}
	return nil
}

func inDebugger(path string) (parts [2]string, yes bool) {
	session, file, found := strings.Cut(path, ":")
	session = strings.TrimPrefix(session, "dbg/")
	if !found || strings.HasPrefix(session, ".") || strings.ContainsAny(session, `/\`) || isDrive(session, file) {
		return parts, false
	}
	return [2]string{session, file}, true
}

func isDrive(letter, path string) bool {
	return os.PathSeparator == '\\' && len(letter) == 1 && strings.HasPrefix(path, `\`)
}

func (o *cpOptions) run(ctx context.Context) error {
	conn, err := o.connect()
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		err := o.copy(ctx, conn)
		switch {
		case ctx.Err() != nil:
			return &exitError{story.ExitInterrupted, "interrupted: nothing was copied"}
		case err == nil || !lostOnTheWay(err):
			return err
		case o.retries >= 0 && try > o.retries:
			return fmt.Errorf("the connection was lost %s (%w): nothing was copied; run the command again, or raise --retries", times(try), err)
		}
		fmt.Fprintf(o.ErrOut, "the connection was lost (%v): copying again from the beginning\n", err)
		select {
		case <-time.After(min(time.Second<<min(try-1, 4), 5*time.Second)):
		case <-ctx.Done():
		}
	}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// copy copies once. The session is looked at anew each time: it may have ended meanwhile.
func (o *cpOptions) copy(ctx context.Context, conn *connection) error {
	session, err := findGranted(ctx, conn, o.session, v1alpha1.AccessExec)
	if err != nil {
		return err
	}
	o.session = session.Name
	at := session.Status.Debugger
	d := terminal.Debugger{Config: conn.config, Kubernetes: conn.Kubernetes, Namespace: session.Namespace, Pod: at.PodName, Name: at.ContainerName}
	if o.upload {
		return o.copyTo(ctx, d)
	}
	return o.copyFrom(ctx, d)
}

// lostError is that a connection was lost, or never made.
type lostError struct{ error }

// lostOnTheWay reports whether to copy again may help.
func lostOnTheWay(err error) bool {
	var (
		lost   lostError
		failed *url.Error
	)
	return errors.As(err, &lost) || errors.As(err, &failed) || errors.Is(err, archive.ErrCut)
}
