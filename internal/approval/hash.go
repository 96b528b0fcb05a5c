package approval

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// RequestHash stands for what an approver approves: the session's spec but for ttl, end and emergency, what the class granted, the
// very pod, and what would be made of it, with the values that a preview hides: hence the key, without which those could be
// guessed from the rest and the hash. A ttl is approved beside it, so that a shorter one needs no new approval.
func RequestHash(key []byte, spec *v1alpha1.DebugSessionSpec, class *v1alpha1.ClassStatus, target types.UID, made Payload) string {
	return hashWithSeal("", key, spec, class, target, made)
}

// StandsFor reports whether a hash stands for a request: as RequestHash makes it, or as it was made before sessions could become
// emergencies, when the requester's seal was a part of it. An upgrade voids no approval.
func StandsFor(hash string, key []byte, spec *v1alpha1.DebugSessionSpec, class *v1alpha1.ClassStatus, target types.UID, made Payload) bool {
	return hash == RequestHash(key, spec, class, target, made) ||
		spec.Requester != nil && hash == hashWithSeal(spec.Requester.Seal, key, spec, class, target, made)
}

func hashWithSeal(seal string, key []byte, spec *v1alpha1.DebugSessionSpec, class *v1alpha1.ClassStatus, target types.UID, made Payload) string {
	fixed := *spec
	fixed.TTL, fixed.End, fixed.Emergency = nil, false, false
	if requester := fixed.Requester.DeepCopy(); requester != nil {
		requester.Seal, fixed.Requester = seal, requester // it is another when the session becomes an emergency
	}
	granted := *class
	granted.Allows = nil // may become less; what is made by it is a part of the hash
	granted.Audit = ""   // may become stricter
	granted.Transcript = ""
	text, err := json.Marshal(struct {
		Spec   *v1alpha1.DebugSessionSpec
		Class  *v1alpha1.ClassStatus
		Target types.UID
		Made   any
	}{&fixed, &granted, target, made.shown})
	if err != nil {
		panic(err) // plain data: it has been JSON before
	}
	sum := hmac.New(sha256.New, key)
	sum.Write(text)
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// Payload is what an approver is shown of what would be made, without what depends on the time it is made at, and on where the target
// has been placed by then.
type Payload struct{ shown any }

// AddedPayload is that of an ephemeral container.
func AddedPayload(container corev1.EphemeralContainer) Payload {
	container.Command = debugpod.Unwrap(container.Command)
	return Payload{container}
}

// CreatedPayload is that of a pod.
func CreatedPayload(pod *corev1.Pod) Payload {
	pod = pod.DeepCopy()
	debugpod.ForgetPlace(pod)
	return Payload{pod}
}

// tokenVolume begins the name of the volume of its service account's token that admission gives each pod, under a name of its own.
const tokenVolume = "kube-api-access-"

// OfAny is a payload that was made for the target, without what differs between the pods of one workload: a copy's name and its target's, and
// the name of the target's token volume. Whatever else differs is something else than was shown.
func (p Payload) OfAny(target *corev1.Pod) Payload {
	token := ""
	for i := range target.Spec.Volumes {
		if name := target.Spec.Volumes[i].Name; strings.HasPrefix(name, tokenVolume) {
			token = name
			break
		}
	}
	if container, added := p.shown.(corev1.EphemeralContainer); added {
		container = *container.DeepCopy()
		renameMounts(container.VolumeMounts, token)
		return Payload{container}
	}
	pod := p.shown.(*corev1.Pod).DeepCopy()
	pod.Name = ""
	delete(pod.Annotations, v1alpha1.AnnotationCopyOf)
	for i := range pod.Spec.Volumes {
		if volume := &pod.Spec.Volumes[i]; volume.Name == token {
			volume.Name = tokenVolume
		}
	}
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			renameMounts(containers[i].VolumeMounts, token)
		}
	}
	return Payload{pod}
}

// renameMounts gives mounts of the token volume a name that is the same for each pod.
func renameMounts(mounts []corev1.VolumeMount, token string) {
	for i := range mounts {
		if mounts[i].Name == token {
			mounts[i].Name = tokenVolume
		}
	}
}
