// Package helmhook is what the pods of the Helm chart's hooks run. The operator's image has no shell and no kubectl, so its binary
// does it, under another service account than the operator's, with no more rights than the one hook needs.
package helmhook

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// Usage is what the arguments are.
const Usage = `usage: manager hook apply FILE         applies classes and sinks, and deletes earlier ones that FILE no longer has
       manager hook verify NAMESPACE     checks that an object created in NAMESPACE is stamped with its creator
       manager hook check-uninstall      fails while there is something that only the operator can remove`

// pause is between two tries. It does not grow: what is waited for is an operator that starts.
const pause = time.Second

// requestTimeout is how long one request may take.
const requestTimeout = 15 * time.Second

// hook is what one of them works with.
type hook struct {
	client client.Client
	out    io.Writer
}

// Main runs the hook that the arguments name, in the cluster that config finds. What it did is written to out.
func Main(ctx context.Context, args []string, config func() (*rest.Config, error), out io.Writer) error {
	set := flag.NewFlagSet("hook", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	timeout := set.Duration("timeout", 4*time.Minute, "How long to try.")
	if err := set.Parse(args); err != nil {
		return fmt.Errorf("%w\n%s", err, Usage)
	}
	cluster, err := config()
	if err != nil {
		return fmt.Errorf("loading the client configuration: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	return Run(ctx, cluster, set.Args(), out)
}

// Run runs a hook until the context ends at the latest.
func Run(ctx context.Context, config *rest.Config, args []string, out io.Writer) error {
	var run func(*hook) error
	switch {
	case len(args) == 2 && args[0] == "apply":
		run = func(h *hook) error { return h.apply(ctx, args[1]) }
	case len(args) == 2 && args[0] == "verify":
		run = func(h *hook) error { return h.verify(ctx, args[1]) }
	case len(args) == 1 && args[0] == "check-uninstall":
		run = func(h *hook) error { return h.checkUninstall(ctx) }
	default:
		return errors.New(Usage)
	}
	h, err := newHook(config, out)
	if err != nil {
		return err
	}
	return run(h)
}

func newHook(config *rest.Config, out io.Writer) (*hook, error) {
	config = rest.CopyConfig(config)
	config.Timeout = requestTimeout
	scheme := runtime.NewScheme()
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	return &hook{client: c, out: out}, nil
}

// until tries again what fails for want of an operator that answers, and fails at once of what no waiting helps.
func (h *hook) until(ctx context.Context, what string, try func(context.Context) error) error {
	said := ""
	for {
		err := try(ctx)
		if err == nil || hopeless(err) {
			return err
		}
		if err.Error() != said {
			said = err.Error()
			_, _ = fmt.Fprintf(h.out, "%s: waiting: %s\n", what, said)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("timed out waiting: %w", err)
		case <-time.After(pause):
		}
	}
}
