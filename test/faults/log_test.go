package faults

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/internal/plaintext"
)

// line is one of a container's log.
type line struct {
	at   time.Time
	text string
}

// printed is the log of a container as far as the pod's status tells: two lines of the very same time, with an escape sequence and with
// characters of several bytes, one that comes later, and one when it ends. ended reports whether it prints no more.
func printed(pod *corev1.Pod, container string) (lines []line, ended bool) {
	statuses := slices.Concat(pod.Status.EphemeralContainerStatuses, pod.Status.ContainerStatuses)
	at := slices.IndexFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == container })
	if at < 0 {
		return nil, false
	}
	began := pod.CreationTimestamp.Add(123456789)
	lines = []line{{began, "/ # \x1b[31mls\x1b[0m\r\n"}, {began, "ä€𝄞 and more of it\r\n"},
		{began.Add(1500 * time.Millisecond), "3 files\r\n"}}
	if ended = statuses[at].State.Terminated != nil; ended {
		lines = append(lines, line{began.Add(time.Hour), "exit\r\n"})
	}
	return lines, ended
}

// asPrinted is what was printed, as a transcript should have it.
func asPrinted(pod *corev1.Pod, container string, plain bool) string {
	lines, _ := printed(pod, container)
	var all strings.Builder
	for _, l := range lines {
		all.WriteString(l.text)
	}
	if plain {
		return plaintext.Text(all.String())
	}
	return all.String()
}

// logOf is a log that is followed, in halves of lines.
type logOf struct {
	*node
	ctx       context.Context
	pod       *corev1.Pod
	container string
	since     time.Time
	sent      int // pieces
}

// Follow opens a container's log, through the same faults.
func (n *node) Follow(ctx context.Context, name types.NamespacedName, container string, since time.Time) (io.ReadCloser, error) {
	pod := &corev1.Pod{}
	err := n.around(n.generation, "open-log", func() error { return k8s.Get(ctx, name, pod) })
	if err != nil {
		return nil, err
	}
	log := &logOf{node: n, ctx: ctx, pod: pod, container: container, since: since}
	for n.hangs && ctx.Err() == nil {
		if log.look() {
			return nil, apierrors.NewNotFound(corev1.Resource("pods"), name.Name)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return log, ctx.Err()
}

// look sees how the pod is now, and reports whether it is gone.
func (l *logOf) look() (gone bool) {
	for _, v := range l.history.of(l.namespace, "pods") {
		if v.object.GetUID() == l.pod.UID {
			l.pod, gone = v.object.(*corev1.Pod), v.gone
		}
	}
	return gone
}

// Read waits for the next piece, or the end.
func (l *logOf) Read(p []byte) (int, error) {
	for l.ctx.Err() == nil && !l.dead(l.generation) {
		gone := l.look()
		pieces, ended := l.pieces()
		switch {
		case l.sent < len(pieces):
			l.sent++
			n := copy(p, pieces[l.sent-1])
			return n, l.around(l.generation, "read-log", func() error { return nil })
		case ended || gone:
			if err := l.around(l.generation, "end-log", func() error { return nil }); err != nil {
				return 0, err
			}
			return 0, io.EOF
		}
		time.Sleep(5 * time.Millisecond)
	}
	return 0, errInjected
}

// pieces are the halves of the lines that there are, with their timestamps.
func (l *logOf) pieces() (pieces []string, ended bool) {
	lines, ended := printed(l.pod, l.container)
	for _, each := range lines {
		if !each.at.Before(l.since) {
			text := each.at.UTC().Format(time.RFC3339Nano) + " " + each.text
			half := len(text) - len(each.text)/2 // within a character, if there are some of several bytes
			pieces = append(pieces, text[:half], text[half:])
		}
	}
	return pieces, ended
}

func (l *logOf) Close() error { return nil }
