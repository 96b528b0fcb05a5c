// Package podlogs reads the end of what a container wrote.
package podlogs

import (
	"context"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
// the run ended that is meant; zero: there is but one. Once a later run has taken the log away it returns an error.
func (r *Reader) End(ctx context.Context, pod types.NamespacedName, container string, ended time.Time) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if ended.IsZero() {
		return r.read(ctx, pod, container, false, ended)
	}
	// The kubelet starts it again before anybody can ask, so that its log is the previous one; or it has not, and there is none yet.
	output, err := r.read(ctx, pod, container, true, ended)
	if apierrors.IsBadRequest(err) {
		return r.read(ctx, pod, container, false, ended)
	}
	return output, err
}

func (r *Reader) read(ctx context.Context, pod types.NamespacedName, container string, previous bool, ended time.Time) (string, error) {
	tail := int64(tailed)
	log, err := r.client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
		Container: container, Previous: previous, TailLines: &tail, Timestamps: true,
	}).Stream(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = log.Close() }() // it was only read
	return endOf(io.LimitReader(log, most), ended)
}
