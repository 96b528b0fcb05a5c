package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
)

const latencyNamespace = "latency"

// latency times three ways to a debugger in the same pod, one after the other.
type latency struct {
	*bench
	requester client.Client
	sessions  *follower[stands]
	pods      *follower[injected]
	home      string // kubectl's, where it keeps what it has discovered

	operator, kubectl, apply []time.Duration
}

// measureLatency gives each pod three debuggers: one by a session, one by `kubectl debug`, one by a session that
// `kubectl apply` brings. Who is first changes from pod to pod, so that whatever else the machine does hits all three.
func measureLatency(ctx context.Context, b *bench) error {
	l := &latency{bench: b, home: filepath.Join(b.cluster.folder, "home")}
	if err := l.prepare(ctx); err != nil {
		return err
	}
	defer l.sessions.stop()
	defer l.pods.stop()
	const warmup = 3
	var mark int64
	ways := []func(context.Context, string, int) error{l.viaOperator, l.viaKubectl, l.viaApply}
	for i := range warmup + b.flags.pairs {
		if i == warmup {
			l.operator, l.kubectl, l.apply = nil, nil, nil
			var err error
			if mark, err = b.cluster.audit.mark(); err != nil {
				return err
			}
		}
		pod := fmt.Sprintf("pod-%05d", i)
		for j := range ways {
			if err := ways[(i+j)%len(ways)](ctx, pod, j+1); err != nil {
				return err
			}
		}
	}
	wire, err := l.onTheWire(mark)
	if err != nil {
		return err
	}
	b.result.ApplyToInjected = &applyToInjected{quantiles: quantilesOf(l.operator), KubectlApply: quantilesOf(l.apply)}
	b.result.KubectlDebug = &kubectlDebug{quantiles: quantilesOf(l.kubectl), OnTheWire: quantilesOf(wire)}
	return endAll(ctx, b, latencyNamespace)
}

func (l *latency) prepare(ctx context.Context) (err error) {
	if err := os.MkdirAll(l.home, 0o700); err != nil {
		return err
	}
	if err := makeNamespace(ctx, l.cluster.client, latencyNamespace, nil); err != nil {
		return err
	}
	if _, err := makePods(ctx, l.cluster.client, latencyNamespace, l.flags.pairs+3); err != nil {
		return err
	}
	if l.requester, err = l.cluster.clientOf(l.cluster.requester); err != nil {
		return err
	}
	if l.sessions, err = followSessions(ctx, l.cluster, latencyNamespace); err != nil {
		return err
	}
	l.pods, err = followPods(ctx, l.cluster, latencyNamespace)
	return err
}

// viaOperator is timed from before the request that creates the session is sent until a watch brings the pod with the
// debugger in it.
func (l *latency) viaOperator(ctx context.Context, pod string, n int) error {
	session := newSession(latencyNamespace, "created-"+pod, pod)
	began := time.Now()
	if err := l.requester.Create(ctx, session); err != nil {
		return err
	}
	took, err := l.settled(ctx, began, session, n)
	l.operator = append(l.operator, took)
	return err
}

// viaApply is timed from before the kubectl process is started until the same moment.
func (l *latency) viaApply(ctx context.Context, pod string, n int) error {
	session := newSession(latencyNamespace, "applied-"+pod, pod)
	manifest, err := yaml.Marshal(session)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := l.runKubectl(ctx, string(manifest), "apply", "-f", "-"); err != nil {
		return err
	}
	took, err := l.settled(ctx, began, session, n)
	l.apply = append(l.apply, took)
	return err
}

// viaKubectl is timed from before the kubectl process is started until it has exited, which it does when the API server has
// accepted the debugger.
func (l *latency) viaKubectl(ctx context.Context, pod string, n int) error {
	began := time.Now()
	if err := l.runKubectl(ctx, "", "debug", pod, "--namespace", latencyNamespace, "--image", "busybox:1.36", "--target", "app",
		"--profile", "general", "--stdin", "--tty", "--attach=false", "--quiet", "--", "sh"); err != nil {
		return err
	}
	l.kubectl = append(l.kubectl, time.Since(began))
	_, err := l.pods.await(ctx, injected{pod, n})
	return err
}

// settled waits until nothing is left to do, so that the next one is timed alone.
func (l *latency) settled(ctx context.Context, began time.Time, session *v1alpha1.DebugSession, n int) (time.Duration, error) {
	at, err := l.pods.await(ctx, injected{session.Spec.Target.PodName, n})
	if err != nil {
		return 0, err
	}
	_, err = l.sessions.await(ctx, stands{session.Name, v1alpha1.PhaseActive})
	return at.Sub(began), err
}

func (l *latency) runKubectl(ctx context.Context, input string, args ...string) error {
	command := exec.CommandContext(ctx, l.cluster.kubectl(), args...)
	command.Env = []string{"HOME=" + l.home, "KUBECONFIG=" + l.cluster.requesterKubeconfig}
	command.Stdin = strings.NewReader(input)
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, said)
	}
	return nil
}

// onTheWire is how long kubectl debug took by the API server's clock: from its first request about the pod to its answer to
// the patch. It leaves out the process and whatever kubectl does before.
func (l *latency) onTheWire(mark int64) ([]time.Duration, error) {
	requests, err := l.cluster.audit.since(mark, func(r *request) bool {
		return strings.HasPrefix(r.UserAgent, "kubectl/") && r.ObjectRef.Resource == "pods" && r.ObjectRef.Namespace == latencyNamespace
	})
	if err != nil {
		return nil, err
	}
	first := map[string]time.Time{}
	var took []time.Duration
	for i := range requests {
		r := &requests[i]
		if _, seen := first[r.ObjectRef.Name]; !seen {
			first[r.ObjectRef.Name] = r.RequestReceivedTimestamp
		}
		if r.ObjectRef.Subresource == "ephemeralcontainers" {
			took = append(took, r.StageTimestamp.Sub(first[r.ObjectRef.Name]))
		}
	}
	return took, nil
}
