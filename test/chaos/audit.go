package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// ownWithin is how long after its own deadline the last process of a debugger may be seen, whoever is there to end it: the
// watchdog asks for a second and kills for up to three, and a copy's containers get a second.
const ownWithin = 5 * time.Second

// audit looks for what was left, was late, or is wrong, once a fault is over.
func (s *stage) audit() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), time.Minute)
	defer cancel()
	s.ctx = ctx
	for _, h := range s.sessions {
		if !s.soon(20*time.Second, h.over) {
			s.mistake("session %s has not ended: it is %s: %s", h.object.Name, h.now().Status.Phase, h.now().Status.Message())
		}
	}
	s.node.look() // one that has begun after the last session had ended
	for _, h := range s.sessions {
		h.auditEnd()
		h.auditTime()
	}
	s.auditObjects()
	s.auditContainers()
	if !s.gentle { // or another fault's pods come and go
		s.auditNode()
	}
	for _, t := range s.targets {
		t.audit()
	}
}

// auditNode looks for pods that run on the node and that the API server does not know.
func (s *stage) auditNode() {
	var orphans []string
	if !s.soon(15*time.Second, func() bool { orphans = s.orphans(); return len(orphans) == 0 }) {
		s.leak("the node runs pods unknown to the API server: %s", strings.Join(orphans, ", "))
	}
}

func (s *stage) orphans() []string {
	running := s.node.look() // first: what is created meanwhile is no orphan
	pods := &corev1.PodList{}
	s.must("listing all pods", s.client.List(s.ctx, pods))
	known := map[string]bool{}
	for i := range pods.Items {
		known[string(pods.Items[i].UID)] = true
	}
	var orphans []string
	for _, p := range running {
		if !known[p.podUID] {
			orphans = append(orphans, fmt.Sprintf("%s (process %d, %s)", p.podUID, p.pid, comm(p.pid)))
		}
	}
	return orphans
}

// auditEnd compares how the session ended with how it should have.
func (h *session) auditEnd() {
	history, name := h.history(), h.object.Name
	if twice := history.settledTwice(); twice != "" {
		h.mistake("session %s %s", name, twice)
	}
	if history.ended.IsZero() { // deleted: then there is no record
		return
	}
	status := history.latest.Status
	if h.expect != anyOutcome && status.Outcome != h.expect {
		h.mistake("session %s ended as %s, want %s: %s", name, status.Outcome, h.expect, conditionOf(history.latest, v1alpha1.ConditionEnded).Message)
	}
	if seen, ever := h.processes(); ever && seen.last.After(history.ended) {
		h.mistake("session %s was Ended %.1f s before the last of its processes was seen", name, seen.last.Sub(history.ended).Seconds())
	}
	if slices.Contains(history.latest.Finalizers, v1alpha1.Finalizer) && !h.soon(5*time.Second, h.released) {
		h.leak("session %s has ended but still has its finalizer", name)
	}
}

func (h *session) released() bool {
	return !slices.Contains(h.now().Finalizers, v1alpha1.Finalizer) || !h.history().gone.IsZero()
}

// auditTime measures from when the session's end was wanted to when the node had no process of it.
func (h *session) auditTime() {
	seen, ever := h.processes()
	if !ever {
		return
	}
	if seen.gone.IsZero() {
		h.leak("session %s left processes on the node", h.object.Name)
		return
	}
	wanted := h.wanted()
	if due := h.due(wanted, h.isCopy()); !wanted.IsZero() && seen.gone.After(due.Add(h.within)) {
		h.tardy("session %s had processes %.1f s after its end was requested, and %.1f s after it was due",
			h.object.Name, seen.gone.Sub(wanted).Seconds(), seen.gone.Sub(due).Seconds())
	}
	if own := h.deadline(); !own.IsZero() && seen.gone.After(own.Add(max(ownWithin, h.within))) {
		h.tardy("session %s had processes %.1f s after its own deadline", h.object.Name, seen.gone.Sub(own).Seconds())
	}
}

func (s *stage) leak(format string, args ...any) {
	s.say("LEAK: "+format, args...)
	s.leaks = append(s.leaks, fmt.Sprintf(format, args...))
}

func (s *stage) tardy(format string, args ...any) {
	s.say("LATE: "+format, args...)
	s.late = append(s.late, fmt.Sprintf(format, args...))
}

// auditObjects looks for what the operator made in the namespace and did not take away.
func (s *stage) auditObjects() {
	if s.namespace == "" {
		return
	}
	for _, list := range []client.ObjectList{
		&corev1.PodList{}, &rbacv1.RoleList{}, &rbacv1.RoleBindingList{}, &networkingv1.NetworkPolicyList{},
	} {
		s.must("listing created objects", s.client.List(s.ctx, list, client.InNamespace(s.namespace), client.HasLabels{v1alpha1.LabelSessionUID}))
		s.must("reading created objects", meta.EachListItem(list, func(left runtime.Object) error {
			s.leak("%s %s is left over", strings.TrimPrefix(fmt.Sprintf("%T", left), "*v1."), left.(client.Object).GetName())
			return nil
		}))
	}
}

// auditContainers compares the debuggers that were added with the sessions that added them, and sees that none runs.
func (s *stage) auditContainers() {
	pods := &corev1.PodList{}
	s.must("listing pods", s.client.List(s.ctx, pods, client.InNamespace(s.namespace)))
	for i := range pods.Items {
		pod := &pods.Items[i]
		for owner, count := range debuggersIn(pod) {
			if count > 1 {
				s.mistake("%d debuggers of session %s are in pod %s", count, owner, pod.Name)
			}
		}
		for _, status := range pod.Status.EphemeralContainerStatuses {
			if status.State.Running != nil {
				s.leak("container %s in pod %s is still running", status.Name, pod.Name)
			}
		}
	}
}

// debuggersIn counts the debuggers that were added to a pod, by the session of each.
func debuggersIn(pod *corev1.Pod) map[string]int {
	of := map[string]int{}
	for _, c := range pod.Spec.EphemeralContainers {
		for _, variable := range c.Env {
			if variable.Name == markerVariable {
				of[variable.Value]++
			}
		}
	}
	return of
}

// audit sees that the target was not disturbed, unless it was what the fault struck.
func (t *target) audit() {
	if t.struck || t.pid == 0 {
		return
	}
	if err := t.serves(); err != nil {
		t.mistake("target %s is not serving: %v", t.name, err)
		return
	}
	for _, status := range t.pod.Status.ContainerStatuses {
		if status.RestartCount > 0 {
			t.mistake("target %s was restarted %d times", t.name, status.RestartCount)
		}
	}
	if now := t.server(); now != t.pid {
		t.mistake("target %s is no longer the same process", t.name)
	}
	if dead, most := zombies(t.pid), t.zombies+t.hurried(); len(dead) > most {
		t.mistake("target %s has %d zombies, at most %d are allowed; the first is %s", t.name, len(dead), most, comm(dead[0]))
	}
}

// leftByHurry is how many processes of a debugger may be left to its target: the wrapper's watchdog, the script, and what the script
// waits for.
const leftByHurry = 3

// hurried is how many of the dead may be left to the target's server: on a machine too busy to end the debuggers that were in it in
// order within a second, order is given up.
func (t *target) hurried() int {
	count := 0
	for _, h := range t.sessions {
		if debugger := h.now().Status.Debugger; debugger != nil && debugger.PodName == t.name {
			count += leftByHurry
		}
	}
	return count
}
