package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

const (
	busybox = "busybox:1.36"

	// anyOutcome is expected where several are right.
	anyOutcome v1alpha1.Outcome = ""
)

// session is a DebugSession of a fault's, and how it should end.
type session struct {
	*stage
	object *v1alpha1.DebugSession
	expect v1alpha1.Outcome
	asked  time.Time // when somebody asked for its end; zero: it ends at its time
}

// option changes a session before it is created.
type option func(*v1alpha1.DebugSessionSpec)

func on(pod *target) option {
	return func(s *v1alpha1.DebugSessionSpec) { s.Target = v1alpha1.Target{PodName: pod.name} }
}

func onPodNamed(name string) option {
	return func(s *v1alpha1.DebugSessionSpec) { s.Target = v1alpha1.Target{PodName: name} }
}

func copied(s *v1alpha1.DebugSessionSpec) {
	s.Mode = v1alpha1.ModePodCopy
}

// isolated copies have a NetworkPolicy too.
func isolated(s *v1alpha1.DebugSessionSpec) {
	s.Mode, s.PodCopy = v1alpha1.ModePodCopy, &v1alpha1.PodCopy{Isolate: true}
}

func ofClass(name string) option {
	return func(s *v1alpha1.DebugSessionSpec) { s.ClassName = name }
}

func lasting(ttl time.Duration) option {
	return func(s *v1alpha1.DebugSessionSpec) { s.TTL = &metav1.Duration{Duration: ttl} }
}

// until is also the hard deadline.
func until(at time.Time) option {
	return func(s *v1alpha1.DebugSessionSpec) { s.NotAfter = &metav1.Time{Time: at} }
}

func image(name string) option {
	return func(s *v1alpha1.DebugSessionSpec) { s.Debugger.Image = name }
}

// script is what the debugger's shell runs.
func script(text string) option {
	text = strings.ReplaceAll(text, "$$", "$$$$") // Kubernetes makes one of two
	return func(s *v1alpha1.DebugSessionSpec) {
		s.Debugger.Command, s.Debugger.Stdin = []string{"sh", "-c", text}, false
	}
}

// session creates a session that is expected to end as Expired.
func (s *stage) session(name string, options ...option) *session {
	object := &v1alpha1.DebugSession{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name},
		Spec: v1alpha1.DebugSessionSpec{
			ClassName: classChaos,
			Reason:    s.name,
			Mode:      v1alpha1.ModeEphemeralContainer,
			Debugger: v1alpha1.Debugger{
				Image: busybox, Command: []string{"sh"}, Stdin: true,
				Env: []corev1.EnvVar{{Name: markerVariable, Value: s.namespace + "/" + name}},
			},
		},
	}
	for _, change := range options {
		change(&object.Spec)
	}
	s.must("creating session "+name, s.client.Create(s.ctx, object))
	created := &session{stage: s, object: object, expect: v1alpha1.OutcomeExpired}
	s.mu.Lock()
	s.sessions = append(s.sessions, created)
	s.mu.Unlock()
	return created
}

// several creates sessions name-0, name-1 and so on.
func (s *stage) several(count int, name string, options ...option) []*session {
	var all []*session
	for i := range count {
		all = append(all, s.session(fmt.Sprintf("%s-%d", name, i), options...))
	}
	return all
}

func (h *session) history() history { return h.record.of(h.object.UID) }

// now is the session as the API server has it, as last heard.
func (h *session) now() *v1alpha1.DebugSession {
	if latest := h.history().latest; latest != nil {
		return latest
	}
	return h.object
}

// over reports whether the session needs nothing any more.
func (h *session) over() bool {
	history := h.history()
	return !history.ended.IsZero() || !history.gone.IsZero()
}

// reach waits until all sessions are in a phase. One that has ended instead will never be.
func (s *stage) reach(phase v1alpha1.Phase, patience time.Duration, sessions ...*session) {
	for _, h := range sessions {
		s.eventually(patience, fmt.Sprintf("session %s is %s", h.object.Name, phase), func() bool {
			now := h.now().Status
			if now.Phase == v1alpha1.PhaseEnded && phase != v1alpha1.PhaseEnded {
				s.fatal("session %s ended before it was %s: %s", h.object.Name, phase, h.now().Status.Message())
			}
			return now.Phase == phase
		})
	}
}

// end waits until all sessions have ended. How is for the audit to see.
func (s *stage) end(patience time.Duration, sessions ...*session) {
	for _, h := range sessions {
		s.eventually(patience, fmt.Sprintf("session %s has ended", h.object.Name), h.over)
	}
}

// change edits a session's spec.
func (h *session) change(spec map[string]any) error {
	patch, err := json.Marshal(map[string]any{"spec": spec})
	if err != nil {
		return err
	}
	return h.client.Patch(h.ctx, &v1alpha1.DebugSession{ObjectMeta: h.object.ObjectMeta}, client.RawPatch(types.MergePatchType, patch))
}

// expireAt sets the sessions' ttl so that all of them expire at that time, which is sooner than they were to, and waits until that is
// written down. Their debuggers are about to be told.
func (s *stage) expireAt(at time.Time, sessions ...*session) {
	at = at.Truncate(time.Second)
	for _, h := range sessions {
		ttl := at.Sub(h.now().Status.StartedAt.Time)
		s.must("setting ttl of "+h.object.Name, h.change(map[string]any{"ttl": ttl.String()}))
	}
	for _, h := range sessions {
		s.eventually(time.Until(at), fmt.Sprintf("session %s reports that it expires at %s", h.object.Name, at.UTC().Format(time.TimeOnly)), func() bool {
			return h.now().Status.ExpiresAt.Time.Equal(at)
		})
	}
	s.say("%d sessions expire at %.2fs", len(sessions), at.Sub(s.started).Seconds())
}

// told waits until the sessions' ephemeral debuggers know of their end, and need nobody for it.
func (s *stage) told(sessions ...*session) {
	for _, h := range sessions {
		s.eventually(10*time.Second, "the debugger of session "+h.object.Name+" knows its end", func() bool {
			status := h.now().Status
			return h.isCopy() || status.Debugger.Deadline.Equal(status.ExpiresAt)
		})
	}
}

// terminate asks for the end now; again, if the API server does not reach the operator's admission yet.
func (h *session) terminate() {
	h.expect, h.asked = v1alpha1.OutcomeTerminated, time.Now()
	var err error
	h.soon(20*time.Second, func() bool {
		err = h.change(map[string]any{"end": true})
		return err == nil
	})
	h.must("setting end of "+h.object.Name, err)
}

// approve approves the session, which awaits that.
func (h *session) approve() {
	h.must("approving "+h.object.Name, h.client.Create(h.ctx, &v1alpha1.DebugApproval{
		ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: h.object.Name},
		Spec:       v1alpha1.DebugApprovalSpec{SessionName: h.object.Name, Decision: v1alpha1.DecisionApprove},
	}))
}

func (h *session) isCopy() bool { return h.object.Spec.Mode == v1alpha1.ModePodCopy }

// keys are what the session's processes are counted under on the node: its debugger's, and of a copy all others too.
func (h *session) keys() []string {
	keys := []string{h.namespace + "/" + h.object.Name}
	if debugger := h.now().Status.Debugger; debugger != nil && h.isCopy() && debugger.PodUID != "" {
		keys = append(keys, podKey(string(debugger.PodUID)))
	}
	return keys
}

// processes is when there were processes of the session on the node; ok is false if there never were.
func (h *session) processes() (presence, bool) { return h.node.of(h.keys()...) }

// runs reports whether there are any now.
func (h *session) runs() bool {
	seen, ever := h.processes()
	return ever && seen.gone.IsZero()
}

// made is the copy, nil if there is none.
func (h *session) made() *corev1.Pod {
	debugger := h.now().Status.Debugger
	if debugger == nil {
		return nil
	}
	pod := &corev1.Pod{}
	err := h.client.Get(h.ctx, client.ObjectKey{Namespace: h.namespace, Name: debugger.PodName}, pod)
	if apierrors.IsNotFound(err) {
		return nil
	}
	h.must("reading pod "+debugger.PodName, err)
	return pod
}

// wanted is when the session's end was wanted: at its time, or when somebody asked for it.
func (h *session) wanted() time.Time {
	status := h.now().Status
	switch {
	case !h.asked.IsZero() && (status.ExpiresAt == nil || h.asked.Before(status.ExpiresAt.Time)):
		return h.asked
	case status.ExpiresAt != nil:
		return status.ExpiresAt.Time
	default:
		return time.Time{}
	}
}

// deadline is when the debugger ends by itself: an ephemeral one at its deadline, a copy at its hard deadline.
func (h *session) deadline() time.Time {
	status := h.now().Status
	switch {
	case status.Debugger != nil && status.Debugger.Deadline != nil:
		return status.Debugger.Deadline.Time
	case status.HardDeadline != nil:
		return status.HardDeadline.Time
	default:
		return time.Time{}
	}
}

// tale is what the session did.
func (h *session) tale() []string {
	var lines []string
	add := func(at time.Time, format string, args ...any) {
		lines = append(lines, fmt.Sprintf("%7.2fs  %s: %s", at.Sub(h.started).Seconds(), h.object.Name, fmt.Sprintf(format, args...)))
	}
	history := h.history()
	for _, m := range history.moves {
		add(m.at, "%s", strings.TrimSpace(fmt.Sprintf("%s %s %s", m.phase, m.outcome, m.message)))
	}
	if !history.gone.IsZero() {
		add(history.gone, "the session is gone")
	}
	if wanted := h.wanted(); !wanted.IsZero() {
		add(wanted, "its end is requested")
	}
	if own := h.deadline(); !own.IsZero() {
		add(own, "its own deadline")
	}
	if seen, ever := h.processes(); ever {
		add(seen.first, "processes on the node")
		if !seen.gone.IsZero() {
			add(seen.gone, "no processes on the node")
		}
	}
	return lines
}

// conditionOf is a session's condition of a type; a zero one if it has none.
func conditionOf(session *v1alpha1.DebugSession, conditionType string) metav1.Condition {
	if c := meta.FindStatusCondition(session.Status.Conditions, conditionType); c != nil {
		return *c
	}
	return metav1.Condition{}
}

func listFrom(version string) *metav1.ListOptions {
	return &metav1.ListOptions{ResourceVersion: version}
}

// sorted puts lines in the order of the times that they begin with: those are padded, so the order is that of the text,
// but for what happened before the story began.
func sorted(lines []string) []string {
	slices.SortStableFunc(lines, func(a, b string) int {
		var at, bt float64
		_, _ = fmt.Sscanf(a, "%f", &at)
		_, _ = fmt.Sscanf(b, "%f", &bt)
		switch {
		case at < bt:
			return -1
		case at > bt:
			return 1
		}
		return 0
	})
	return lines
}
