package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/diagnosis"
)

// madePod is what the modes have in common whose debugger runs in a pod of its own: a copy, or a pod on a node.
type madePod struct{ noun string } // noun is what messages call it

func (madePod) makesPod() bool { return true }

func (madePod) suits(*v1alpha1.Target, *corev1.Pod) bool { return true }

// cacheLag is how long after a session's start its pod need not be in the cache yet.
const cacheLag = 2 * time.Second

// track makes the pod that is recorded, or follows the one that was made.
func (m madePod) track(p *pass) step {
	name, uid := p.status().Debugger.PodName, p.status().Debugger.PodUID
	pod, stop := need(p.DebuggerPod, ReadDebuggerPod{Name: name}, nil, retryReading(fmt.Sprintf("pod %q", name)))
	switch {
	case stop != nil:
		return stop
	case pod != nil && p.isMade(pod):
		return m.follow(p, pod)
	case pod != nil && uid != "":
		return p.end(v1alpha1.OutcomeTerminated, v1alpha1.ReasonGone, fmt.Sprintf("somebody deleted the %s %q, and another pod has its name", m.noun, name))
	case pod != nil:
		taken := NameTaken(pod.Name)
		return p.end(v1alpha1.OutcomeRejected, taken.Reason, taken.Message)
	case uid != "" && p.status().Phase == v1alpha1.PhaseStarting && p.Now.Before(p.status().StartedAt.Add(cacheLag)): // a cache may not have seen yet what was created
		p.wake(p.status().StartedAt.Add(cacheLag))
		return pause{}
	case uid != "" && !p.DebuggerPod.fresh:
		return ask{ReadDebuggerPod{Name: name, Fresh: true}}
	case uid != "":
		return p.end(v1alpha1.OutcomeTerminated, v1alpha1.ReasonGone, fmt.Sprintf("somebody deleted the %s %q", m.noun, name))
	case p.tooLate():
		return p.notMade("the " + m.noun)
	}
	target, stop := p.mode().pinned(p)
	if stop != nil {
		return stop
	}
	return p.make(target)
}

// createHeld creates the pod of a session, whose debugger is held for its files if the session keeps some.
func createHeld(session *v1alpha1.DebugSession, pod *corev1.Pod) (Action, error) {
	if len(session.Spec.Debugger.Artifacts) == 0 {
		return CreatePod{Pod: pod}, nil
	}
	name := session.Status.Debugger.ContainerName
	if err := debugpod.HoldForFiles(pod, name, deadlines(session)); err != nil {
		return nil, err
	}
	return CreatePod{Pod: pod, Held: name}, nil
}

// isMade reports whether the pod is the one that was made for this session. Once its UID was recorded that alone decides. Until
// then it takes more than what whoever may patch a pod can write into it: nobody can add a container to a pod, and the name
// of one that a session adds is no other pod's.
// Deleting a session with --cascade=orphan takes the owner reference away, perhaps before the UID was seen: then the label
// has to do, on a pod that nothing else controls and that has a name made of the session's UID.
func (p *pass) isMade(pod *corev1.Pod) bool {
	if uid := p.status().Debugger.PodUID; uid != "" {
		return pod.UID == uid
	}
	orphaned := p.Session.DeletionTimestamp != nil && metav1.GetControllerOf(pod) == nil &&
		pod.Labels[v1alpha1.LabelSessionUID] == string(p.Session.UID)
	return (orphaned || debugpod.OwnedBy(pod, p.Session)) &&
		(!debugpod.AddsContainer(p.spec()) || slices.Contains(debugpod.ContainerNames(pod), p.status().Debugger.ContainerName))
}

func (m madePod) follow(p *pass, pod *corev1.Pod) step {
	if p.DebuggerPod.fresh { // the cache does not show it, and will not tell: somebody may have taken its label
		p.wake(p.Now.Add(recheck))
	}
	c := readMade(pod, p.status().Debugger.ContainerName)
	if stop := m.followContainer(p, c, pod); stop != nil {
		return stop
	}
	return p.originalReplaced(c)
}

func (m madePod) followContainer(p *pass, c container, pod *corev1.Pod) step {
	failed := pod.Status.Phase == corev1.PodFailed
	switch {
	case pod.DeletionTimestamp != nil:
		c.record(p.status().Debugger)
		return p.end(v1alpha1.OutcomeTerminated, v1alpha1.ReasonGone, fmt.Sprintf("somebody deleted the %s %q", m.noun, pod.Name))
	case failed && pod.Status.Reason == diagnosis.DeadlineExceeded:
		p.status().Debugger.StoppedBy = v1alpha1.StoppedByHardDeadline
		return p.end(v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired), "the kubelet ended the "+m.noun+" at its hard deadline")
	case failed && (c.ended == nil || pod.Status.Reason != ""): // evicted, refused by its node
		return p.end(v1alpha1.OutcomeFailed, v1alpha1.ReasonGone, finished(pod))
	case debugpod.OnlyChanges(p.spec()):
		return p.trackChanged(c, pod)
	default:
		return p.track(c, pod)
	}
}

// trackChanged follows a copy that was made only to be changed. Its containers end and start again as they do in the
// target: what they do is what is to be seen, and the session goes on until the copy has finished.
func (p *pass) trackChanged(c container, pod *corev1.Pod) step {
	switch {
	case hasFinished(pod):
		c.record(p.status().Debugger)
		if diagnosis.KilledForMemory(c.ended) {
			return p.end(v1alpha1.OutcomeFailed, diagnosis.OOMKilled, finished(pod)+"; "+p.lostForMemory(c, pod))
		}
		return p.end(v1alpha1.OutcomeCompleted, v1alpha1.ReasonExited, finished(pod))
	case p.status().Phase == v1alpha1.PhaseActive:
		return p.activate(pod) // not every restart is worth a write
	case c.ended != nil && !c.neverRan():
		c.record(p.status().Debugger)
		return p.activate(pod)
	default:
		return p.track(c, pod)
	}
}

// teardown believes the cache when that shows the pod, which is deleted by its UID, but not when it shows nothing: it
// may not have seen yet what was created.
func (m madePod) teardown(p *pass) step {
	name := p.status().Debugger.PodName
	pod, stop := need(p.DebuggerPod, ReadDebuggerPod{Name: name}, nil, notKnownGone(fmt.Sprintf("%s %q", m.noun, name)))
	switch {
	case stop != nil:
		return stop
	case pod != nil && p.isMade(pod):
		return m.remove(p, pod)
	case !p.DebuggerPod.fresh:
		return ask{ReadDebuggerPod{Name: name, Fresh: true}}
	case debugpod.Isolates(p.spec()):
		return m.liftIsolation(p)
	default:
		return p.completeEnding("the " + m.noun + " is gone")
	}
}

// remove deletes the pod that was made, and says so if that takes longer than it should.
func (m madePod) remove(p *pass, pod *corev1.Pod) step {
	p.status().Debugger.PodUID = pod.UID // its session may have ended before that was written
	c := readMade(pod, p.status().Debugger.ContainerName)
	if !p.ran() { // it may have begun to run as its session ended
		p.recordRunning(c)
	}
	if pod.DeletionTimestamp == nil {
		if stop := p.logRead(c, pod); stop != nil {
			return stop
		}
		p.do(DeletePod{Pod: p.podName(pod.Name), UID: pod.UID, GraceSeconds: debugpod.GraceSeconds})
		p.wake(p.Now.Add(recheck))
		return pause{}
	}
	// A deletion's time is when the containers' grace ends. Somebody's finalizer holds the pod for longer, perhaps for ever.
	if overdue := pod.DeletionTimestamp.Add(recheck); p.Now.Before(overdue) && len(pod.Finalizers) == 0 {
		p.wake(overdue)
		return pause{}
	}
	return waitEnding{v1alpha1.ReasonStillRunning, m.deleting(pod)}
}

func (m madePod) deleting(pod *corev1.Pod) string {
	message := fmt.Sprintf("%s %q is being deleted", m.noun, pod.Name)
	switch {
	case len(pod.Finalizers) > 0:
		message += "; it is held by finalizers set by others: " + strings.Join(pod.Finalizers, ", ")
	case pod.Spec.NodeName != "":
		message += fmt.Sprintf("; node %q has not confirmed that its containers stopped: check that the node is ready", pod.Spec.NodeName)
	}
	return message
}

// liftIsolation takes away the policy of a copy that is gone. It is deleted without a look, and looked for in the next pass: nothing
// that is read once is believed when it says that there is nothing.
func (m madePod) liftIsolation(p *pass) step {
	name := debugpod.IsolationName(p.Session.UID)
	if !p.saidGone() {
		p.do(DeleteNetworkPolicy{Name: name})
		p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, v1alpha1.ReasonGone, "the "+m.noun+" is gone")
		p.wake(p.Now)
		return pause{}
	}
	policy, stop := need(p.NetworkPolicy, ReadNetworkPolicy{Name: name}, nil, notKnownGone(fmt.Sprintf("NetworkPolicy %q", name)))
	switch {
	case stop != nil:
		return stop
	case policy != nil && policy.DeletionTimestamp != nil:
		p.set(v1alpha1.ConditionDebuggerReady, metav1.ConditionFalse, v1alpha1.ReasonGone, fmt.Sprintf(
			"the %s is gone; NetworkPolicy %q is held by finalizers set by others: %s", m.noun, name, strings.Join(policy.Finalizers, ", ")))
		p.wake(p.Now.Add(recheck))
		return pause{}
	case policy != nil:
		p.do(DeleteNetworkPolicy{Name: name, UID: policy.UID})
	}
	return p.completeEnding("the " + m.noun + " is gone")
}

// saidGone reports whether an earlier pass has written down that the pod that was made is gone.
func (p *pass) saidGone() bool {
	ready := meta.FindStatusCondition(p.Session.Status.Conditions, v1alpha1.ConditionDebuggerReady)
	return ready != nil && ready.Reason == v1alpha1.ReasonGone
}

// endedBy deals with a debugger of which its node knows no more, and with one of a copy that was killed because all containers of
// the copy are restarted. The one that was left is not the one that runs next.
func (m madePod) endedBy(p *pass, c container, pod *corev1.Pod) step {
	if diagnosis.Lost(c.ended) {
		return p.end(v1alpha1.OutcomeTerminated, v1alpha1.ReasonGone, fmt.Sprintf(
			"node %q was restarted, or somebody removed container %q of the %s %q from it: %s", pod.Spec.NodeName, p.status().Debugger.ContainerName, m.noun, pod.Name, c.ended.Reason))
	}
	if p.heldToItsEnd(c) {
		p.status().Debugger.StoppedBy = v1alpha1.StoppedByHardDeadline
		return p.end(v1alpha1.OutcomeExpired, string(v1alpha1.OutcomeExpired), "the debugger ended at its hard deadline")
	}
	if c.ended.Reason != diagnosis.RestartingAllContainers && (c.ended.ExitCode != diagnosis.ExitKilled || !restartingNow(pod)) {
		return nil
	}
	return p.end(v1alpha1.OutcomeFailed, v1alpha1.ReasonTargetRestarted, fmt.Sprintf(
		"the restartPolicyRules of a container restarted all containers of the copy %q, including the debugger; "+
			"apply a new session with podCopy.quiesce, so that the application does not exit there", pod.Name))
}

// heldToItsEnd reports whether a debugger that is held for its files was ended by what holds it, at the hard deadline of its node's clock.
func (p *pass) heldToItsEnd(c container) bool {
	hard := p.status().HardDeadline
	return len(p.spec().Debugger.Artifacts) > 0 && hard != nil && !c.ended.FinishedAt.Before(hard) &&
		c.ended.ExitCode == debugpod.ExitDeadline && strings.Contains(c.ended.Message, debugpod.AtHardDeadline)
}

// look records where the debugger stands as its pod tells.
func (madePod) look(p *pass) step {
	switch {
	case p.DebuggerPod.state == unasked:
		return ask{ReadDebuggerPod{Name: p.status().Debugger.PodName}}
	case p.DebuggerPod.state == found && p.isMade(p.DebuggerPod.value):
		return p.note(readMade(p.DebuggerPod.value, p.status().Debugger.ContainerName), p.DebuggerPod.value)
	}
	return nil
}
