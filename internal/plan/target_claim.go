package plan

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/policy"
)

// A session can be about a PersistentVolumeClaim. Its pod is made as the copy of one that has nothing but the claim.

// findClaim finds the claim to debug, and sees that it can be debugged.
func (p *pass) findClaim() (*debugTarget, step) {
	name, recorded := p.spec().Target.VolumeClaim.Name, p.status().Target
	missing := step(wait{
		reason: v1alpha1.ReasonTargetNotFound, recheck: true,
		message: fmt.Sprintf("there is no PersistentVolumeClaim %q in namespace %q", name, p.Session.Namespace),
	})
	gone := func(why string) step {
		return markEnded{v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), why}
	}
	pinned := recorded != nil && recorded.ClaimUID != ""
	if pinned {
		missing = gone(fmt.Sprintf("PersistentVolumeClaim %q is gone; nothing was created", name))
	}
	claim, stop := need(p.Claim, ReadClaim{Name: name}, missing, unreadable(fmt.Sprintf("PersistentVolumeClaim %q", name)))
	switch {
	case stop != nil:
		return nil, stop
	case pinned && recorded.ClaimUID != claim.UID:
		return nil, gone(claimReplaced(recorded, claim))
	}
	if why := policy.CheckClaim(p.Class.value, claim); why != "" {
		return nil, reject{classForbids(why)}
	}
	mountedBy, stop := p.claimPods(claim, unreadable(fmt.Sprintf("the pods that mount PersistentVolumeClaim %q", name)))
	if stop != nil {
		return nil, stop
	}
	if refusal := checkClaim(claim, mountedBy); refusal != nil {
		return nil, reject{refusal}
	}
	if claim.Status.Phase != corev1.ClaimBound {
		return nil, wait{reason: v1alpha1.ReasonClaimNotBound, recheck: true, message: notBound(claim)}
	}
	return p.claimTarget(claim, mountedBy), nil
}

// claimPods are the pods that mount a claim of which it matters.
func (p *pass) claimPods(claim *corev1.PersistentVolumeClaim, unknown func(error) step) ([]corev1.Pod, step) {
	if !debugpod.OnOneNode(claim) {
		return nil, nil
	}
	return need(p.ClaimPods, ListClaimPods{Claim: claim.Name}, nil, unknown)
}

// checkClaim says why no pod can be made that mounts the claim, or nil.
func checkClaim(claim *corev1.PersistentVolumeClaim, mountedBy []corev1.Pod) *Refusal {
	switch {
	case claim.DeletionTimestamp != nil:
		return refuse(v1alpha1.ReasonTargetTerminating,
			"PersistentVolumeClaim %q is being deleted, so no new pod can mount it; debug a pod that mounts it, while that exists", claim.Name)
	case claim.Spec.VolumeMode != nil && *claim.Spec.VolumeMode == corev1.PersistentVolumeBlock:
		return refuse(v1alpha1.ReasonInvalid,
			"spec.target.volumeClaim: PersistentVolumeClaim %q is a raw block device (volumeMode: Block), which cannot be mounted; debug a pod that uses it", claim.Name)
	case len(mountedBy) > 0 && slices.Contains(claim.Spec.AccessModes, corev1.ReadWriteOncePod):
		return refuse(v1alpha1.ReasonClaimInUse,
			"PersistentVolumeClaim %q is ReadWriteOncePod, and pod %q mounts it; debug that pod, or delete it and apply a new session", claim.Name, mountedBy[0].Name)
	}
	return nil
}

func notBound(claim *corev1.PersistentVolumeClaim) string {
	if claim.Status.Phase == corev1.ClaimLost {
		return fmt.Sprintf("PersistentVolumeClaim %q has lost its volume %q: there is nothing to mount", claim.Name, claim.Spec.VolumeName)
	}
	return fmt.Sprintf("PersistentVolumeClaim %q is not bound to a volume yet: it holds no data, and a session does not have a volume made for it", claim.Name)
}

func (p *pass) claimTarget(claim *corev1.PersistentVolumeClaim, mountedBy []corev1.Pod) *debugTarget {
	return &debugTarget{claim: claim, pod: debugpod.ClaimPod(p.spec().Target.VolumeClaim, claim, mountedBy)}
}

// pinnedClaim is the claim that was recorded, and no other of its name.
func (p *pass) pinnedClaim() (*debugTarget, step) {
	if stop := p.claimKept(); stop != nil {
		return nil, stop
	}
	claim := p.Claim.value
	mountedBy, stop := p.claimPods(claim, retryReading(fmt.Sprintf("the pods that mount PersistentVolumeClaim %q", claim.Name)))
	if stop != nil {
		return nil, stop
	}
	if refusal := checkClaim(claim, mountedBy); refusal != nil {
		return nil, p.end(v1alpha1.OutcomeRejected, refusal.Reason, refusal.Message)
	}
	return p.claimTarget(claim, mountedBy), nil
}

// claimKept sees that the claim of that name is still the one that was recorded, if one was.
func (p *pass) claimKept() step {
	recorded, named := p.status().Target, p.spec().Target.VolumeClaim
	if named == nil {
		return nil
	}
	claim, stop := need(p.Claim, ReadClaim{Name: named.Name}, nil, retryReading(fmt.Sprintf("PersistentVolumeClaim %q", named.Name)))
	switch {
	case stop != nil:
		return stop
	case claim == nil:
		return p.end(v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), fmt.Sprintf("PersistentVolumeClaim %q is gone", named.Name))
	case claim.UID != recorded.ClaimUID:
		return p.end(v1alpha1.OutcomeTargetGone, string(v1alpha1.OutcomeTargetGone), claimReplaced(recorded, claim))
	}
	return nil
}

func claimNamed(name string, uid types.UID) *v1alpha1.TargetStatus {
	return &v1alpha1.TargetStatus{Name: "pvc/" + name, ClaimUID: uid}
}

func claimReplaced(recorded *v1alpha1.TargetStatus, now *corev1.PersistentVolumeClaim) string {
	return fmt.Sprintf("PersistentVolumeClaim %q was replaced: the session is for UID %s, and the claim now has UID %s", now.Name, recorded.ClaimUID, now.UID)
}
