package debugpod

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// ImageContainer is the container that runs the image which is debugged.
const ImageContainer = "app"

// ImagePod returns the pod to which the debugger of an image is added: it runs the image, and nothing else. It is named by the image.
func ImagePod(namespace, image string) *corev1.Pod {
	pod := alone(namespace, ImageName(image))
	pod.Spec.Containers = []corev1.Container{{Name: ImageContainer, Image: image}}
	return pod
}

// ImageName returns a name for a pod that is made of an image: the last part of the image's name, without tag and digest.
func ImageName(image string) string {
	name, _, _ := strings.Cut(image, "@")
	name = name[strings.LastIndexByte(name, '/')+1:]
	name, _, _ = strings.Cut(name, ":")
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
	if name = strings.Trim(name, "-"); name == "" {
		return "image"
	}
	return name
}

// confineImage has the image that is debugged run as the profile restricted demands. Other profiles give the debugger something, and nothing to
// the image.
func confineImage(spec *corev1.PodSpec, session *v1alpha1.DebugSession) {
	if session.Spec.Target.Image == "" || !DropsAll(session.Spec.Profile) {
		return
	}
	for i := range spec.Containers {
		spec.Containers[i].SecurityContext = restrict(spec.Containers[i].SecurityContext)
	}
}
