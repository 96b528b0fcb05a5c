package faults

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/operator"
	"debugsession.dev/operator/internal/transcript"
)

// logReadTimeout is how long a pod that was made stays for its log.
const logReadTimeout = 10 * time.Second

// check judges the run by the ten invariants of the design, from what the API server has had and what is left in it.
func (r *run) check(ctx context.Context) []string {
	r.rest()
	c := &checker{run: r, sessions: r.versions(r.scenario.hasMembers()), pods: r.injector.history.of(r.namespace, "pods")}
	c.checkMaking()
	c.checkEnd()
	c.checkDeadline(ctx)
	c.checkTarget()
	c.checkEvidence()
	c.checkRecord(ctx)
	c.checkTranscript(ctx)
	c.checkArtifacts(ctx)
	c.checkLogWait()
	c.checkSettled(ctx)
	c.checkLeaks(ctx)
	if r.scenario.hasMembers() {
		c.checkMember()
	}
	return c.violations
}

type checker struct {
	*run
	sessions, pods []version
	violations     []string
}

// checkMember: a member is recorded before it is made (1), there is one (2), it makes nothing before its UID is recorded (1), and its session says
// Ended when it has (4), once (5).
func (c *checker) checkMember() {
	parents := c.versions(false)
	recorded := func(revision uint64, uid types.UID) bool {
		for _, v := range slices.Backward(parents) {
			if v.revision < revision {
				rows := v.object.(*v1alpha1.DebugSession).Status.Members
				return len(rows) == 1 && rows[0].Name == c.member().Name && rows[0].UID == uid
			}
		}
		return false
	}
	uids := map[types.UID]bool{}
	for _, v := range c.sessions {
		member := v.object.(*v1alpha1.DebugSession)
		uids[member.UID] = true
	}
	c.must(2, len(uids) == 1, "%d members were made", len(uids))
	if len(uids) == 0 {
		return
	}
	c.must(1, recorded(c.sessions[0].revision, ""), "the member was made before its session had recorded it")
	for _, v := range c.pods {
		pod := v.object.(*corev1.Pod)
		if pod.Name != c.target || len(pod.Spec.EphemeralContainers) > 0 {
			c.must(1, recorded(v.revision, c.member().UID), "a debugger was made before its session had recorded the member's UID")
			break
		}
	}
	revision, _ := c.ended()
	var end *v1alpha1.DebugSession
	for _, v := range parents {
		session := v.object.(*v1alpha1.DebugSession)
		switch {
		case end == nil && session.Status.Phase == v1alpha1.PhaseEnded:
			end = session
			c.must(4, revision != 0 && revision < v.revision, "the session said Ended before its member")
			c.must(10, session.Status.Outcome == c.scenario.outcome && session.Status.Members[0].Outcome == c.scenario.outcome,
				"the outcome is %s, and its row %+v", session.Status.Outcome, session.Status.Members[0])
		case end != nil:
			c.must(5, equality.Semantic.DeepEqual(session.Status, end.Status), "the status changed after Ended, at %d", v.revision)
		}
	}
	c.must(7, end != nil, "the session never said Ended")
}

// uid is found in a delete's body, be it JSON or protobuf, only as its precondition.
var uid = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

func (c *checker) must(invariant int, ok bool, format string, args ...any) {
	if !ok {
		c.violations = append(c.violations, fmt.Sprintf("invariant %d: ", invariant)+fmt.Sprintf(format, args...))
	}
}

// at is the session as it was at a revision.
func (c *checker) at(revision uint64) *v1alpha1.DebugSession {
	var then *v1alpha1.DebugSession
	for _, v := range c.sessions {
		if v.revision < revision {
			then = v.object.(*v1alpha1.DebugSession)
		}
	}
	return then
}

// ended is the first version that says Ended, and when.
func (c *checker) ended() (uint64, *v1alpha1.DebugSession) {
	for _, v := range c.sessions {
		if session := v.object.(*v1alpha1.DebugSession); session.Status.Phase == v1alpha1.PhaseEnded {
			return v.revision, session
		}
	}
	return 0, nil
}

// checkMaking: write ahead (1), one debugger (2), a hard deadline (3), never without permission (6), only the pod meant (8).
func (c *checker) checkMaking() {
	made, containers := []string{}, map[string]bool{}
	var since []uint64
	for _, v := range c.pods {
		pod := v.object.(*corev1.Pod)
		if pod.Name != c.target && !slices.Contains(made, string(pod.UID)) {
			made, since = append(made, string(pod.UID)), append(since, v.revision)
			c.must(3, pod.Spec.ActiveDeadlineSeconds != nil, "pod %s has no activeDeadlineSeconds", pod.Name)
			if then := c.at(v.revision); then != nil && then.Status.Debugger != nil {
				c.must(1, then.Status.Debugger.PodName == pod.Name,
					"pod %s was made, recorded was %q", pod.Name, then.Status.Debugger.PodName)
			}
		}
		for _, ec := range pod.Spec.EphemeralContainers {
			if containers[ec.Name] {
				continue
			}
			containers[ec.Name], since = true, append(since, v.revision)
			c.must(3, len(ec.Command) > 1, "container %s has the command %v: no deadline is around it", ec.Name, ec.Command)
			if then := c.at(v.revision); then != nil && then.Status.Debugger != nil && then.Status.Target != nil {
				c.must(1, then.Status.Debugger.ContainerName == ec.Name,
					"container %s was made, recorded was %q", ec.Name, then.Status.Debugger.ContainerName)
				c.must(8, then.Status.Target.PodUID == pod.UID, "pod %s was debugged, recorded was %s", pod.UID, then.Status.Target.PodUID)
			}
		}
	}
	policies := c.injector.history.of(c.namespace, "networkpolicies")
	c.must(6, !c.scenario.isolated || len(made) == 0 || len(policies) > 0 && policies[0].revision < since[0],
		"the copy was there before it was cut off")
	c.must(2, len(made)+len(containers) <= 1, "pods %v and containers %v were made for one session", made, containers)
	for _, revision := range since {
		c.checkPermitted(revision)
	}
	for _, kind := range []string{"roles", "rolebindings"} {
		for _, v := range c.injector.history.of(c.namespace, kind) {
			then := c.at(v.revision)
			c.must(1, then != nil && then.Status.Access != nil && then.Status.Access.Name == v.object.GetName(),
				"%s %s was not recorded before it was made", kind, v.object.GetName())
		}
	}
}

func (c *checker) checkPermitted(revision uint64) {
	then := c.at(revision)
	if then == nil {
		c.must(1, false, "something was made before there was a session")
		return
	}
	s := then.Status
	c.must(1, s.Target != nil && s.Target.PodUID+s.Target.NodeUID+s.Target.WorkloadUID != "" && s.Debugger != nil && s.StartedAt != nil && s.ExpiresAt != nil &&
		s.HardDeadline != nil,
		"at %d, when the debugger was made, the status did not record it: %+v", revision, s)
	if c.scenario.approved() {
		approvals := c.injector.history.of(c.namespace, "debugapprovals")
		c.must(6, len(approvals) > 0 && approvals[0].revision < revision, "made without an approval")
	}
	c.must(6, c.scenario.class != classEmergency || s.Review != nil, "made before its approval, and nothing says that it must be reviewed")
}

// checkEnd: when Ended is said nothing is left (4), it stays so (5), and it is said at all (7).
func (c *checker) checkEnd() {
	revision, end := c.ended()
	if end == nil {
		c.must(7, false, "the session never said Ended")
		return
	}
	c.must(10, end.Status.Outcome == c.scenario.outcome,
		"the outcome is %s, not %s: %s", end.Status.Outcome, c.scenario.outcome, end.Status.Reason)
	there := map[string]version{}
	for _, kind := range []string{"pods", "roles", "rolebindings", "networkpolicies"} {
		for _, v := range c.injector.history.of(c.namespace, kind) {
			if v.revision < revision {
				there[kind+"/"+v.object.GetName()] = v
			}
		}
	}
	for name, v := range there {
		c.must(4, v.gone || name == "pods/"+c.target, "%s was there when the session said Ended", name)
		if pod, ok := v.object.(*corev1.Pod); ok && name == "pods/"+c.target {
			for _, s := range pod.Status.EphemeralContainerStatuses {
				c.must(4, s.State.Terminated != nil, "container %s ran when the session said Ended", s.Name)
			}
			c.must(4, len(pod.Status.EphemeralContainerStatuses) == len(pod.Spec.EphemeralContainers),
				"a container was yet to start when the session said Ended")
		}
	}
	for _, v := range c.sessions {
		if v.revision > revision {
			now := v.object.(*v1alpha1.DebugSession).Status
			c.must(5, equality.Semantic.DeepEqual(c.final(now), c.final(end.Status)), "the status changed after Ended, at %d", v.revision)
		}
	}
	for _, v := range c.pods {
		c.must(5, v.revision < revision || v.gone || v.object.GetName() == c.target, "pod %s changed after Ended", v.object.GetName())
	}
}

// final is what nothing changes in a session that has ended: all, or, where it is reviewed afterwards, all but that.
func (c *checker) final(status v1alpha1.DebugSessionStatus) v1alpha1.DebugSessionStatus {
	if c.scenario.after == nil {
		return status
	}
	status = *status.DeepCopy()
	status.Review, status.Approvals, status.ApprovedBy, status.WaitingFor = nil, nil, "", ""
	meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionReviewed)
	if status.Audit != nil {
		status.Audit.ReviewKey, status.Audit.ReviewSHA256 = "", ""
	}
	return status
}

// checkDeadline: a session never says that it lasts longer than its debugger does (3).
func (c *checker) checkDeadline(ctx context.Context) {
	pod := &corev1.Pod{}
	if err := k8s.Get(ctx, types.NamespacedName{Namespace: c.namespace, Name: c.target}, pod); err != nil {
		c.must(8, false, "reading the target: %v", err)
		return
	}
	for i := range pod.Spec.EphemeralContainers {
		ends, err := players.Watchdogs.Deadline(pod, pod.Spec.EphemeralContainers[i].Name)
		c.must(3, err == nil, "the debugger's deadline: %v", err)
		for _, v := range c.sessions {
			expires := v.object.(*v1alpha1.DebugSession).Status.ExpiresAt
			c.must(3, expires == nil || !expires.After(ends),
				"the session was said to last until %s, and its debugger ends at %s", expires, ends)
		}
	}
}

// checkTarget: the target is as it was but for the debugger, and deletes say which pod they mean (8).
func (c *checker) checkTarget() {
	var first *corev1.Pod
	for _, v := range c.pods {
		pod := v.object.(*corev1.Pod)
		if pod.Name != c.target {
			continue
		}
		if first == nil {
			first = pod
		}
		spec := pod.Spec.DeepCopy()
		spec.EphemeralContainers = nil
		c.must(8, !v.gone && pod.UID == first.UID && equality.Semantic.DeepEqual(*spec, first.Spec) &&
			equality.Semantic.DeepEqual(pod.Labels, first.Labels),
			"the target was changed or deleted")
	}
	for _, body := range c.injector.deletes {
		c.must(8, uid.MatchString(body), "a delete does not say which pod it means: %q", body)
	}
}

// checkEvidence: what a reader of the record wants to know is in it (10).
func (c *checker) checkEvidence() {
	_, end := c.ended()
	if end == nil {
		return
	}
	s := end.Status
	c.must(10, s.StartedAt != nil && s.EndedAt != nil && s.Reason != "" && s.Target != nil && s.Target.PodUID+s.Target.NodeUID+s.Target.WorkloadUID != "" &&
		s.Debugger != nil &&
		s.Debugger.ContainerName != "" && end.Spec.Requester != nil, "the record does not tell all: %+v", s)
	made := slices.ContainsFunc(c.pods, func(v version) bool { return v.object.GetName() != c.target })
	c.must(10, c.scenario.mode == v1alpha1.ModeEphemeralContainer || c.scenario.early && !made || s.Debugger != nil && s.Debugger.PodUID != "",
		"the record does not tell the copy's UID")
	c.must(10, c.scenario.outcome != v1alpha1.OutcomeCompleted || s.Debugger != nil && s.Debugger.ExitCode != nil &&
		*s.Debugger.ExitCode == 3,
		"the record does not tell the exit code")
}

// checkRecord: a session that requires a record does not say Ended before it is stored, and nothing is left when its end is fixed; its
// record and the chain are whole (10).
func (c *checker) checkRecord(ctx context.Context) {
	_, end := c.ended()
	records := c.store(func(_, _ string, do func() error) error { return do() })
	if records == nil || end == nil {
		return
	}
	if end.Status.Audit == nil {
		c.must(10, false, "it says Ended, and its record is not stored")
		return
	}
	text, err := records.Read(ctx, end.Status.Audit.Key)
	c.must(10, err == nil && audit.Digest(text) == end.Status.Audit.SHA256, "the record is not as the session says: %v", err)
	record, err := audit.Decode(text)
	c.must(10, err == nil && record.Session.UID == string(end.UID) && record.Session.Outcome == end.Status.Outcome &&
		record.Session.Times.Ended.Equal(end.Status.EndedAt.Time),
		"the record does not tell what the session does: %v", err)
	c.must(10, err == nil && equality.Semantic.DeepEqual(record.Session.Transcript, end.Status.Transcript),
		"the record and the session name different transcripts: %v", err)
	c.must(10, err == nil && equality.Semantic.DeepEqual(record.Session.Artifacts, end.Status.Artifacts),
		"the record and the session tell of different artifacts: %v", err)
	stored, transcripts, artifacts := 1, 0, 0
	if c.scenario.class == classKeeping {
		artifacts = 1
	}
	if c.scenario.class == classTranscribed {
		transcripts = 1
	}
	if last := c.latest(); c.scenario.after != nil && last != nil {
		stored = 2
		text, err := records.Read(ctx, last.Status.Audit.ReviewKey)
		c.must(10, err == nil && audit.Digest(text) == last.Status.Audit.ReviewSHA256,
			"the review's record is not as the session says: %v", err)
		late, err := audit.Decode(text)
		c.must(10, err == nil && late.Review.UID == string(end.UID) && late.Review.By == "bob" &&
			late.Review.Session.Key == end.Status.Audit.Key,
			"the review's record does not tell who has reviewed what: %v", err)
	}
	public := &corev1.Secret{}
	if err := k8s.Get(ctx, types.NamespacedName{Namespace: operator.DefaultNamespace, Name: audit.AnchorName}, public); err != nil {
		c.must(10, false, "reading the key: %v", err)
		return
	}
	key := ed25519.NewKeyFromSeed(public.Data["ed25519-seed"]).Public().(ed25519.PublicKey)
	result, err := audit.Verify(ctx, records, key, nil)
	c.must(10, err == nil && len(result.Faults) == 0 && result.Links == int64(stored) && result.Records == stored &&
		result.Transcripts == transcripts && result.Artifacts == artifacts,
		"the chain is not whole: %+v, %v", result, err)
}

// checkArtifacts: the session tells of each file what became of it, and the store has what the command left (10).
func (c *checker) checkArtifacts(ctx context.Context) {
	_, end := c.ended()
	if end == nil || c.scenario.class != classKeeping {
		return
	}
	said := end.Status.Artifacts
	c.must(10, len(said) == 2 && said[0].Path == keptFile && said[0].State == v1alpha1.ArtifactKept && said[1].Path == noFile &&
		said[1].State == v1alpha1.ArtifactMissing, "what became of the files is %+v", said)
	if len(said) == 0 {
		return
	}
	var stored bytes.Buffer
	err := audit.ReadArtifact(ctx, c.store(func(_, _ string, do func() error) error { return do() }), &said[0], &stored)
	c.must(10, err == nil && stored.String() == keptText, "the store has the file %q, %v", &stored, err)
}

// checkTranscript: the stored transcript is what the session says it is, and has all that was printed, or says why it may not: which it
// has no reason for where the log stays (10).
func (c *checker) checkTranscript(ctx context.Context) {
	_, end := c.ended()
	if end == nil || c.scenario.class != classTranscribed {
		return
	}
	said := end.Status.Transcript
	if said == nil {
		c.must(10, false, "it says Ended, and its transcript is not stored")
		return
	}
	var stored bytes.Buffer
	there, err := audit.ReadParts(ctx, c.store(func(_, _ string, do func() error) error { return do() }), said.Key, &stored)
	c.must(10, err == nil && there.Count == said.Parts && there.Bytes == said.Bytes && there.SHA256 == said.SHA256,
		"the store has the transcript %+v, %v, and the session says %+v", there, err, said)
	got, plain := stored.String(), said.Format == v1alpha1.TranscriptText
	c.must(10, plain == c.scenario.oneShot, "the transcript's format is %s", said.Format)
	if !plain && stored.Len() > 0 {
		events, err := transcript.Events(stored.Bytes())
		c.must(10, err == nil, "the transcript cannot be read: %v", err)
		got = ""
		for _, event := range events {
			got += event.Data
		}
	}
	all := asPrinted(c.debuggerPod(end), end.Status.Debugger.ContainerName, plain)
	whole := got == all && said.Incomplete == ""
	c.must(10, whole || said.Incomplete != "" && strings.HasPrefix(all, got),
		"printed was %q, and the transcript has %q, incomplete: %q", all, got, said.Incomplete)
	c.must(10, !said.Cut, "a short transcript says that it was cut")
	// Of a copy that goes, an operator that starts then cannot know that its log was read to the end.
	stays := c.scenario.mode == v1alpha1.ModeEphemeralContainer || c.scenario.outcome == v1alpha1.OutcomeCompleted && !c.scenario.hangs &&
		c.restarts == 0
	c.must(10, whole || !stays && (c.injector.fault != nil || c.scenario.hangs),
		"the transcript has %q of %q, incomplete: %q", got, all, said.Incomplete)
	c.must(10, !c.scenario.hangs || said.Incomplete != "", "nobody has read the log, and the transcript does not say so")
}

// debuggerPod is the last that was seen of the pod that the debugger was in.
func (c *checker) debuggerPod(session *v1alpha1.DebugSession) *corev1.Pod {
	pod := &corev1.Pod{}
	for _, v := range c.pods {
		if v.object.GetName() == session.Status.Debugger.PodName {
			pod = v.object.(*corev1.Pod)
		}
	}
	return pod
}

// checkLogWait: a pod that was made does not stay for its log for longer than it may, and not past the hard deadline (4).
func (c *checker) checkLogWait() {
	_, end := c.ended()
	if end == nil || c.scenario.class != classTranscribed || len(c.injector.deletedAt) == 0 {
		return
	}
	for _, v := range c.sessions {
		session := v.object.(*v1alpha1.DebugSession)
		ending := meta.FindStatusCondition(session.Status.Conditions, v1alpha1.ConditionEnded)
		if ending == nil {
			continue
		}
		until := ending.LastTransitionTime.Add(logReadTimeout)
		if hard := session.Status.HardDeadline; hard.Time.Before(until) {
			until = hard.Time
		}
		if until.Before(ending.LastTransitionTime.Time) { // the hard deadline had passed before
			until = ending.LastTransitionTime.Time
		}
		// The clock goes in steps: what is due within one is done after it, or after the next if it is told late.
		c.must(4, !c.injector.deletedAt[0].After(until.Add(2*timers)),
			"the pod was deleted at %s, and could stay for its log until %s", c.injector.deletedAt[0], until)
		return
	}
}

// checkSettled: once ended a look costs nothing (9).
func (c *checker) checkSettled(ctx context.Context) {
	if c.latest() == nil {
		return
	}
	before := c.injector.about()
	if err := c.poke(ctx); err != nil {
		c.must(9, false, "poking: %v", err)
	}
	c.rest()
	c.must(9, c.injector.about() == before, "%d requests after the end", c.injector.about()-before)
}

// checkLeaks: nothing that the operator makes is left anywhere in the namespace.
func (c *checker) checkLeaks(ctx context.Context) {
	for _, list := range []client.ObjectList{&corev1.PodList{}, &rbacv1.RoleList{}, &rbacv1.RoleBindingList{},
		&networkingv1.NetworkPolicyList{}} {
		if err := k8s.List(ctx, list, client.InNamespace(c.namespace), client.HasLabels{v1alpha1.LabelSessionUID}); err != nil {
			c.must(4, false, "listing: %v", err)
			continue
		}
		if n := meta.LenList(list); n > 0 {
			c.must(4, false, "%d of %T are left", n, list)
		}
	}
	c.must(2, len(uids(c.sessions)) == 1, "there were %d sessions", len(uids(c.sessions)))
}
