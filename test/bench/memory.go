package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

const (
	crowdedNamespace = "crowded"
	// settling is how long the process is left alone before its memory is read: the garbage collector gives back in the
	// background, and the pods of a namespace are gathered in one stream.
	settling = 10 * time.Second
)

// measureMemory measures fresh processes: with no session and no pod, with no session and thousands of pods, and with a
// thousand sessions that are active among those pods.
func measureMemory(ctx context.Context, b *bench) error {
	m := &memory{UnrelatedPods: b.flags.pods, UnrelatedNamespaces: b.flags.namespaces, UnrelatedClasses: b.flags.classes, ActiveSessions: b.flags.active}
	var err error
	if m.Empty, err = freshMemory(ctx, b, b.flags.starts); err != nil {
		return err
	}
	if err := makeNamespace(ctx, b.cluster.client, crowdedNamespace, nil); err != nil {
		return err
	}
	b.say(fmt.Sprintf("measuring memory: creating %d pods", b.flags.pods))
	if _, err := makePods(ctx, b.cluster.client, crowdedNamespace, max(b.flags.pods, b.flags.active)); err != nil {
		return err
	}
	if err := makeOthers(ctx, b); err != nil {
		return err
	}
	if m.Pods, err = freshMemory(ctx, b, b.flags.starts); err != nil {
		return err
	}
	b.say(fmt.Sprintf("measuring memory: starting %d sessions", b.flags.active))
	if err := activate(ctx, b, crowdedNamespace, b.flags.active); err != nil {
		return err
	}
	if err := rest(ctx, settling); err != nil {
		return err
	}
	if m.Active, err = readMemory(ctx, b); err != nil {
		return err
	}
	if m.ActiveFresh, err = freshMemory(ctx, b, 1); err != nil {
		return err
	}
	m.PodsOverEmpty = float64(m.Pods.RSS)/float64(m.Empty.RSS) - 1
	m.PerSession = (m.ActiveFresh.RSS - m.Pods.RSS) / int64(b.flags.active)
	b.result.RSS = m
	return nil
}

// makeOthers creates namespaces and classes that no session is about.
func makeOthers(ctx context.Context, b *bench) error {
	if err := inParallel(ctx, b.flags.namespaces, func(ctx context.Context, i int) error {
		return makeNamespace(ctx, b.cluster.client, fmt.Sprintf("other-%05d", i), nil)
	}); err != nil {
		return err
	}
	return inParallel(ctx, b.flags.classes, func(ctx context.Context, i int) error {
		class := &v1alpha1.DebugClass{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("other-%05d", i)}}
		class.Spec.Modes, class.Spec.Profiles = []v1alpha1.Mode{v1alpha1.ModeEphemeralContainer}, []v1alpha1.Profile{v1alpha1.ProfileGeneral}
		class.Spec.MaxTTL.Duration = time.Hour
		return b.cluster.client.Create(ctx, class)
	})
}

// freshMemory is the median of so many processes that were started, led, and were left alone.
func freshMemory(ctx context.Context, b *bench, starts int) (footprint, error) {
	var seen []footprint
	for range starts {
		if err := b.operator.restart(ctx); err != nil {
			return footprint{}, err
		}
		if err := rest(ctx, settling); err != nil {
			return footprint{}, err
		}
		now, err := readMemory(ctx, b)
		if err != nil {
			return footprint{}, err
		}
		seen = append(seen, now)
	}
	slices.SortFunc(seen, func(a, b footprint) int { return int(a.RSS - b.RSS) })
	return seen[len(seen)/2], nil
}

func readMemory(ctx context.Context, b *bench) (footprint, error) {
	rss, heap, err := b.operator.memory(ctx)
	return footprint{RSS: rss, Heap: heap}, err
}
