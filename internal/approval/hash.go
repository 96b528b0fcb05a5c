package approval

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

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
