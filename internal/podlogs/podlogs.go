// Package podlogs reads the end of what a container wrote.
package podlogs

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

const (
	// timeout bounds one reading: a node that hangs must not hold a worker.
	timeout = 10 * time.Second

	// lines is how many of the last lines the kubelet is asked for.
	lines = 100

	// most is how much of those is read, and kept how much of that is returned, in bytes. A line may be of any length.
	most = 1 << 20
	kept = 4 << 10
)

// Reader reads through the API server's pods/log.
type Reader struct{ client kubernetes.Interface }

// New returns a Reader.
func New(client kubernetes.Interface) *Reader { return &Reader{client: client} }

// End returns the last few KiB of what the container wrote; if previous, before it was restarted.
func (r *Reader) End(ctx context.Context, pod types.NamespacedName, container string, previous bool) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tail := int64(lines)
	log, err := r.client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
		Container: container, Previous: previous, TailLines: &tail,
	}).Stream(ctx)
	if err != nil {
		return "", err
	}
	end, err := endOf(io.LimitReader(log, most))
	if err := errors.Join(err, log.Close()); err != nil {
		return "", err
	}
	return end, lost(end)
}

// lost is an error if a kubelet answers with words of its own, as it does with success when its runtime has removed the container.
func lost(log string) error {
	if id, ok := strings.CutPrefix(log, "unable to retrieve container logs for "); ok && !strings.ContainsAny(id, " \n") {
		return errors.New("its container has been removed from the node")
	}
	return nil
}

// endOf reads all there is, and returns the end of it.
func endOf(from io.Reader) (string, error) {
	var end []byte
	buffer := make([]byte, kept)
	for {
		n, err := from.Read(buffer)
		end = append(end, buffer[:n]...)
		end = end[max(len(end)-kept, 0):]
		if errors.Is(err, io.EOF) {
			return string(end), nil
		}
		if err != nil {
			return "", err
		}
	}
}
