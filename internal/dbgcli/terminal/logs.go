package terminal

import (
	"context"
	"io"

	corev1 "k8s.io/api/core/v1"
)

// Logs shows all that a debugger writes, from its beginning to its end. Called again after a lost connection, it goes on where it
// was.
func (t *Terminal) Logs(ctx context.Context, d Debugger) error {
	var stream io.ReadCloser
	err := onceGranted(ctx, func() (err error) {
		stream, err = d.Kubernetes.CoreV1().Pods(d.Namespace).GetLogs(d.Pod, &corev1.PodLogOptions{Container: d.Name, Follow: true}).Stream(ctx)
		return err
	})
	if err != nil {
		return err
	}
	defer stream.Close()
	if _, err := io.CopyN(io.Discard, stream, t.logged); err != nil {
		return err
	}
	n, err := io.Copy(t.Out, stream)
	t.logged += n
	return err
}
