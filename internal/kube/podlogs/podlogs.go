// Package podlogs reads what a container wrote: its end, or all of it as it is written.
package podlogs

import (
	"context"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

const (
	// timeout bounds one reading: a node that hangs must not hold a worker.
	timeout = 10 * time.Second

	// tailed is how many of the last lines the kubelet is asked for.
	tailed = 100

	// most is how much of those is read, and kept how much of that is returned, in bytes. A line may be of any length.
	most = 1 << 20
	kept = 4 << 10
)

// Reader reads through the API server's pods/log.
type Reader struct{ client kubernetes.Interface }

// New returns a Reader.
func New(client kubernetes.Interface) *Reader { return &Reader{client: client} }

// End returns the last few KiB of what the container wrote. Of a container that its kubelet starts again, ended is in which second
// the run ended that is meant; zero: there is but one. If that run's log is gone, what it wrote when it was run again is returned.
func (r *Reader) End(ctx context.Context, pod types.NamespacedName, container string, ended time.Time) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	now, err := r.read(ctx, pod, container, false, ended)
	if len(now.own) > 0 || ended.IsZero() {
		return string(now.own), err
	}
	before, missing := r.read(ctx, pod, container, true, ended)
	switch {
	case len(before.own) > 0 || err != nil && missing == nil:
		return string(before.own), nil
	case len(now.later) > 0:
		return string(now.later), nil
	default:
		return "", err // it wrote nothing, if that is nil
	}
}

// Follow returns the log of a container with timestamps, from a second on or from its beginning, for as long as the container runs.
func (r *Reader) Follow(ctx context.Context, pod types.NamespacedName, container string, since time.Time) (io.ReadCloser, error) {
	options := &corev1.PodLogOptions{Container: container, Follow: true, Timestamps: true}
	if !since.IsZero() {
		options.SinceTime = &metav1.Time{Time: since}
	}
	return r.client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, options).Stream(ctx)
}

func (r *Reader) read(ctx context.Context, pod types.NamespacedName, container string, previous bool, ended time.Time) (ends, error) {
	tail := int64(tailed)
	log, err := r.client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
		Container: container, Previous: previous, TailLines: &tail, Timestamps: true,
	}).Stream(ctx)
	if err != nil {
		return ends{}, err
	}
	defer func() { _ = log.Close() }() // it was only read
	return endsOf(io.LimitReader(log, most), ended)
}
