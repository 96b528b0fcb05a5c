package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// bench is what the measurements work with.
type bench struct {
	flags    flags
	began    time.Time
	cluster  *cluster
	node     *node
	operator *operator
	result   result
}

func (b *bench) start(ctx context.Context) (err error) {
	if b.cluster, err = startCluster(ctx, b.flags.install, b.flags.out); err != nil {
		return err
	}
	if b.node, err = startNode(ctx, b.cluster); err != nil {
		return err
	}
	if b.operator, err = newOperator(b.cluster, b.flags.manager, b.flags.out); err != nil {
		return err
	}
	if err := b.operator.start(ctx); err != nil {
		return err
	}
	if err := b.operator.awaitLeading(ctx); err != nil {
		return err
	}
	return b.awaitAdmission(ctx)
}

// awaitAdmission waits until a session can be created: the operator has been given its certificates and its first class.
func (b *bench) awaitAdmission(ctx context.Context) error {
	requester, err := b.cluster.clientOf(b.cluster.requester)
	if err != nil {
		return err
	}
	return await(ctx, "sessions to be admitted", 30*time.Second, func() (bool, error) {
		err := requester.Create(ctx, newSession(metav1.NamespaceDefault, "admitted", "none"), client.DryRunAll)
		return err == nil, err
	})
}

// stop ends what was started, whatever has become of it.
func (b *bench) stop() {
	var failed []error
	if b.operator != nil {
		failed = append(failed, b.operator.stop())
	}
	if b.node != nil {
		b.node.stop()
	}
	if b.cluster != nil {
		failed = append(failed, b.cluster.stop())
	}
	if err := errors.Join(failed...); err != nil {
		fmt.Fprintln(os.Stderr, "bench: stopping:", err)
	}
}

// say tells on standard error what goes on: the table has standard output for itself.
func (b *bench) say(what string) {
	fmt.Fprintf(os.Stderr, "%6.1fs  %s\n", time.Since(b.began).Seconds(), what)
}

// tick is how often a condition is looked at that nothing announces.
const tick = 10 * time.Millisecond

// await waits until the condition holds, and says what it waited for if it does not come true.
func await(ctx context.Context, what string, within time.Duration, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var last error
	for {
		ok, err := holds()
		if ok && err == nil {
			return nil
		}
		if err != nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waited %v for %s", within, what), last)
		case <-ticker.C:
		}
	}
}

// rest lets a time pass in which nothing is asked of anyone.
func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
