package plan

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// schedulingHints are found by the scheduler's words in lower case, for which the API has no code: what keeps a copy from being where its
// target is, or anywhere, and what can be done about it.
var schedulingHints = []schedulingHint{
	{"free ports", "the target holds a port of its node: podCopy.replaceOriginal frees it, and so does a second node", true},
	{"readwriteoncepod", "the target holds a volume that one pod alone may use: podCopy.replaceOriginal frees it", true},
	{"persistentvolume's node affinity", "the copy's volumes are elsewhere: podCopy.sameNode puts it where the target is", false},
	{"volume", "see what the copy's volumes are bound to; podCopy.sameNode puts it where the target is", false},
	{"resourceclaim", "the target holds what the copy claims: podCopy.replaceOriginal frees it", true},
	{"allocate all claims", "the target holds what the copy claims: podCopy.replaceOriginal frees it", true},
	{"anti-affinity", "the rules that the copy has from its target keep it away from pods such as those: podCopy.sameNode puts it where the target is, unscheduled", true},
	{"topology spread", "the rules that the copy has from its target spread it: podCopy.sameNode puts it where the target is, unscheduled", true},
	{"insufficient ", "the copy needs as much as its target: ask for less by resources in podCopy.containers, or free some", true},
}

type schedulingHint struct {
	words, remedy string
	held          bool // the target may be what is in the way
}

// schedulingRemedy is what can be done about a copy that the scheduler has no node for.
func schedulingRemedy(message string) string {
	if o := schedulingHintIn(message); o != nil {
		return o.remedy
	}
	return "the copy needs a node that takes it: see the message"
}

// heldByTarget reports whether a copy may have a place once its target has gone.
func heldByTarget(message string) bool {
	o := schedulingHintIn(message)
	return o != nil && o.held
}

func schedulingHintIn(message string) *schedulingHint {
	message = strings.ToLower(message)
	for i := range schedulingHints {
		if strings.Contains(message, schedulingHints[i].words) {
			return &schedulingHints[i]
		}
	}
	return nil
}

// slow says what may hold up a debugger of which nobody says anything.
func (p *pass) slow(pod *corev1.Pod) {
	since := p.status().StartedAt.Add(slowStart)
	if p.Now.Before(since) {
		p.wake(since)
		return
	}
	message := fmt.Sprintf("container %q in pod %q has been starting for more than %s%s",
		p.status().Debugger.ContainerName, pod.Name, v1alpha1.FormatDuration(slowStart), p.startupHint(pod))
	p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, v1alpha1.ReasonStarting, message)
	p.stand(v1alpha1.PhaseStarting, v1alpha1.ReasonStarting, message)
}

// startupHint is what may hold a pod up without its status saying so. Volumes that cannot be attached, for one, are told in
// events alone.
func (p *pass) startupHint(pod *corev1.Pod) string {
	switch {
	case pod.Spec.NodeName != "" && pod.Status.StartTime == nil:
		return fmt.Sprintf(": no kubelet has begun with it; see whether node %q is ready", pod.Spec.NodeName)
	case pendingInit(pod) != "":
		return fmt.Sprintf(": %s; see kubectl logs -n %s %s -c %s; leave InitContainers out of podCopy.keep if the copy can do without",
			describeInit(pod, pendingInit(pod)), pod.Namespace, pod.Name, pendingInit(pod))
	case makesPod(p.spec()) && len(claims(pod)) > 0:
		return fmt.Sprintf(": it may wait for the volumes of %s, which another node may hold; podCopy.sameNode puts the copy where the target is, and kubectl describe pod %s tells more",
			strings.Join(claims(pod), ", "), pod.Name)
	default:
		return fmt.Sprintf(": kubectl describe pod %s tells more", pod.Name)
	}
}

func claims(pod *corev1.Pod) []string {
	var names []string
	for i := range pod.Spec.Volumes {
		if claim := pod.Spec.Volumes[i].PersistentVolumeClaim; claim != nil {
			names = append(names, claim.ClaimName)
		}
	}
	return names
}
