package podwatch

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// maxEvent is how large an event may be. etcd keeps no object of more than a tenth of it.
const maxEvent = 16 << 20

// podClient lists and watches the pods of a selection.
type podClient struct {
	corev1client.PodInterface
	rest  rest.Interface
	of    selection
	turns turns // nil: it waits for none

	// streamsOnly is of one that does without rather than be answered with all there is at once.
	streamsOnly bool
}

// selected are the options of a request for the client's pods.
func (c *podClient) selected() metav1.ListOptions {
	options := metav1.ListOptions{LabelSelector: c.of.labels}
	if c.of.name != "" {
		options.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, c.of.name).String()
	}
	return options
}

// watch begins a watch.
func (c *podClient) watch(ctx context.Context, options *metav1.ListOptions) (*eventReader, error) {
	options.Watch = true
	body, err := c.rest.Get().Namespace(c.of.namespace).Resource("pods").
		VersionedParams(options, scheme.ParameterCodec).
		SetHeader("Accept", runtime.ContentTypeProtobuf).
		Stream(ctx)
	if err != nil {
		return nil, err
	}
	return &eventReader{body}, nil
}

// eventReader reads the events of a watch in protobuf. The one of client-go holds a goroutine and a buffer that is larger than the pod
// for as long as it waits for the next event, which for most is minutes.
type eventReader struct{ body io.ReadCloser }

// next waits for the next event. It is an empty one when the stream is over, and of type Error if it cannot be decoded.
func (r *eventReader) next() watch.Event {
	size := make([]byte, 4)
	if _, err := io.ReadFull(r.body, size); err != nil {
		return watch.Event{}
	}
	n := binary.BigEndian.Uint32(size)
	if n > maxEvent {
		return undecodable(fmt.Errorf("the event has %d bytes, the most is %d", n, maxEvent))
	}
	frame := make([]byte, n)
	if _, err := io.ReadFull(r.body, frame); err != nil {
		return watch.Event{}
	}
	var event watch.Event
	elsewhere(func() { event = decode(frame) })
	return event
}

func decode(frame []byte) watch.Event {
	var event metav1.WatchEvent
	if err := event.Unmarshal(frame); err != nil {
		return undecodable(err)
	}
	object, err := runtime.Decode(scheme.Codecs.UniversalDeserializer(), event.Object.Raw)
	if err != nil {
		return undecodable(err)
	}
	return watch.Event{Type: watch.EventType(event.Type), Object: object}
}

func undecodable(err error) watch.Event {
	status := apierrors.NewInternalError(fmt.Errorf("cannot decode an event of the watch: %w", err)).Status()
	return watch.Event{Type: watch.Error, Object: &status}
}

func (r *eventReader) stop() { _ = r.body.Close() }
