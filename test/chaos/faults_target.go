package main

import (
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// targetFaults are what may become of a pod that is being debugged.
func targetFaults() []*fault {
	return []*fault{
		{
			name: "target-deleted", broken: "the target pod is deleted", within: 5 * time.Second, gentle: true,
			run: goes(func(t *target) {
				t.must("deleting the target", t.client.Delete(t.ctx, t.pod))
			}),
		},
		{
			name: "target-evicted", broken: "the target pod is evicted", within: 5 * time.Second, gentle: true,
			run: goes(func(t *target) {
				t.must("evicting the target", t.typed.CoreV1().Pods(t.namespace).EvictV1(t.ctx, &policyv1.Eviction{
					ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: t.name},
				}))
			}),
		},
		{
			name: "target-restarted", broken: "the target's process is killed; its container is restarted", within: 5 * time.Second, gentle: true, short: true,
			run: goes(killServer),
		},
		{
			name: "target-finished", broken: "the target's process is killed, in a pod that restarts nothing", within: 5 * time.Second, gentle: true,
			run: goes(killServer, func(pod *corev1.PodSpec) { pod.RestartPolicy = corev1.RestartPolicyNever }),
		},
	}
}

func killServer(t *target) { t.must("killing the target", syscall.Kill(t.pid, syscall.SIGKILL)) }

// goes strikes the target of two sessions. The debugger in it ends; the copy has processes of its own, and goes on.
func goes(strike func(*target), changes ...func(*corev1.PodSpec)) func(*stage) {
	return func(s *stage) {
		web := s.target(changes...)
		hang, twin := s.session("hang", on(web)), s.session("copy", on(web), copied)
		s.reach(v1alpha1.PhaseActive, 30*time.Second, hang, twin)
		web.struck, hang.expect, hang.asked = true, v1alpha1.OutcomeTargetGone, time.Now()
		strike(web)
		s.end(30*time.Second, hang)
		if now := twin.now().Status.Phase; now != v1alpha1.PhaseActive || !twin.runs() {
			s.mistake("the copy is %s, but should keep running: it does not end with its target", now)
		}
		twin.terminate()
		s.end(30*time.Second, twin)
	}
}

// objectFaults are what others may do to the objects.
func objectFaults() []*fault {
	return []*fault{
		{
			name: "finalizer-on-copy", broken: "somebody leaves a finalizer on a copy", within: 5 * time.Second, gentle: true, short: true,
			run: finalizerOnCopy,
		},
		{
			name: "namespace-deleted", broken: "the namespace is deleted with sessions in every phase", within: 10 * time.Second, gentle: true, short: true,
			run: namespaceDeleted,
		},
	}
}

const foreign = "example.com/held"

func finalizerOnCopy(s *stage) {
	h := s.session("copy", on(s.target()), isolated)
	s.reach(v1alpha1.PhaseActive, 30*time.Second, h)
	h.hold()
	h.terminate()
	says := func() bool {
		return strings.Contains(h.now().Status.Message(), foreign)
	}
	s.eventually(20*time.Second, "the session reports what blocks its copy's deletion", says)
	s.eventually(10*time.Second, "the copy's processes are gone nevertheless", func() bool { return !h.runs() })
	// Longer than the operator's pause between two looks: the second comes to the same.
	s.sleepUntil(time.Now().Add(18 * time.Second))
	if phase := h.now().Status.Phase; phase != v1alpha1.PhaseEnding || !says() {
		s.mistake("the session is %s while a finalizer blocks its copy", phase)
	}
	h.release()
	s.end(10*time.Second, h)
}

// hold puts somebody's finalizer on the session's copy.
func (h *session) hold() {
	pod := h.made()
	before := pod.DeepCopy()
	pod.Finalizers = append(pod.Finalizers, foreign)
	h.must("adding a finalizer to the copy", h.client.Patch(h.ctx, pod, client.MergeFrom(before)))
	h.say("%s: finalizer %s blocks its copy", h.object.Name, foreign)
}

func (h *session) release() {
	pod := h.made()
	if pod == nil {
		h.fatal("the copy of session %s is gone despite a finalizer", h.object.Name)
	}
	before := pod.DeepCopy()
	pod.Finalizers = nil
	h.must("removing the finalizer from the copy", client.IgnoreNotFound(h.client.Patch(h.ctx, pod, client.MergeFrom(before))))
	h.say("%s: its copy has no finalizer any more", h.object.Name)
}

// mixed are sessions in every phase.
type mixed struct {
	pending, awaiting, unpulled, unpulledCopies, active, copies, resisting, ended []*session
	doomed                                                                        *target // of those that cannot be pulled
}

// mix makes twenty sessions in mixed phases. Those that are pending wait until a time.
func (s *stage) mix(patience time.Time) *mixed {
	pods := s.targetsNamed([]string{"web", "doomed"})
	web, doomed := pods[0], pods[1]
	const nowhere = "nowhere.example/no/such:tag"
	m := &mixed{
		doomed:         doomed,
		pending:        s.several(3, "pending", onPodNamed("nowhere"), until(patience)),
		awaiting:       s.several(3, "awaiting", on(web), ofClass(classApproval)),
		unpulled:       s.several(2, "unpulled", on(doomed), image(nowhere)),
		unpulledCopies: s.several(1, "unpulled-copy", on(web), copied, image(nowhere)),
		active:         s.several(4, "active", on(web)),
		copies:         append(s.several(2, "copy", on(web), copied), s.session("isolated", on(web), isolated)),
		resisting:      append(s.several(1, "held", on(web), copied), s.session("unstopped", on(doomed), image(nowhere))),
		ended:          s.several(2, "ended", on(web)),
	}
	s.reach(v1alpha1.PhaseActive, time.Minute, m.active...)
	s.reach(v1alpha1.PhaseActive, time.Minute, m.copies...)
	s.reach(v1alpha1.PhaseActive, time.Minute, append(m.ended, m.resisting[0])...)
	for _, h := range m.ended {
		h.terminate()
	}
	m.resisting[0].hold()
	s.reach(v1alpha1.PhaseStarting, time.Minute, append(m.unpulled, append(m.unpulledCopies, m.resisting[1])...)...)
	for _, h := range m.resisting {
		h.terminate()
	}
	s.end(20*time.Second, m.ended...)
	s.reach(v1alpha1.PhasePending, 20*time.Second, m.pending...)
	s.reach(v1alpha1.PhaseAwaitingApproval, 20*time.Second, m.awaiting...)
	s.reach(v1alpha1.PhaseEnding, 20*time.Second, m.resisting...)
	s.say("sessions are in every phase")
	return m
}

func namespaceDeleted(s *stage) {
	m := s.mix(time.Now().Add(5 * time.Minute))
	for _, t := range s.targets {
		t.struck = true
	}
	at := time.Now()
	for _, h := range s.sessions {
		if !h.over() && h.asked.IsZero() {
			h.expect, h.asked = anyOutcome, at // its target may go before it does; its record goes with it
		}
	}
	s.must("deleting the namespace", s.deleteNamespace(s.ctx))
	s.say("the namespace is deleted")
	s.eventually(20*time.Second, "only the blocked copy is running", func() bool {
		for _, h := range s.sessions {
			if h.runs() {
				return false
			}
		}
		return true
	})
	m.resisting[0].release()
	s.eventually(time.Minute, "the namespace is gone", func() bool { return s.namespaceGone(s.namespace) })
	s.remark("the namespace was gone after %.1f s", time.Since(at).Seconds())
}
