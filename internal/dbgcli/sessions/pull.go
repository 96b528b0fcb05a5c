package sessions

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/diagnosis"
)

// Pulled is the image that the kubelet pulls for the session's debugger; empty if it pulls none. Only its events tell: the status of a
// container is the same while its image is pulled and while it is created.
func (c *Client) Pulled(ctx context.Context, session *v1alpha1.DebugSession) (image string, err error) {
	at, list := session.Status.Debugger, "containers"
	if session.Spec.Mode == v1alpha1.ModeEphemeralContainer {
		list = "ephemeralContainers"
	}
	events, err := c.Kubernetes.CoreV1().Events(session.Namespace).List(ctx, metav1.ListOptions{FieldSelector: fields.SelectorFromSet(fields.Set{
		"involvedObject.kind":      "Pod",
		"involvedObject.name":      at.PodName,
		"involvedObject.fieldPath": fmt.Sprintf("spec.%s{%s}", list, at.ContainerName),
	}).String()})
	if err != nil {
		return "", err
	}
	return pulledBy(events.Items), nil
}

// pulledBy is the image of a pull that has begun and is not done, as the kubelet's events on a container tell.
func pulledBy(events []corev1.Event) string {
	if slices.ContainsFunc(events, func(e corev1.Event) bool { return e.Reason == "Pulled" }) {
		return ""
	}
	for i := range events {
		if image := diagnosis.PulledImage(&events[i]); image != "" {
			return image
		}
	}
	return ""
}
