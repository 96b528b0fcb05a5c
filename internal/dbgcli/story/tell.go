package story

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plaintext"
)

// Moment is something that happened in a session, or will.
type Moment struct {
	At   time.Time
	Text string
}

// Tell is a session's story, in the order of its moments.
func Tell(session *v1alpha1.DebugSession) []Moment {
	var told []Moment
	add := func(at *metav1.Time, format string, args ...any) {
		if at != nil && !at.IsZero() {
			told = append(told, Moment{at.Time, plaintext.Text(fmt.Sprintf(format, args...))})
		}
	}
	status := &session.Status
	add(&session.CreationTimestamp, "%s requested %s", cmp.Or(requester(session), "someone"), wish(session))
	armed := cmp.Or(status.Armed, &v1alpha1.ArmedStatus{})
	add(armed.Since, "armed: it watches the pods with %s", armed.Selector)
	if len(status.Members) == 0 {
		add(armed.TriggeredAt, "triggered")
	}
	add(admittedAt(status), "admitted to debug %s%s", targetOf(session), ifAny(": ", choice(session)))
	if request := status.Request; request != nil {
		add(&request.Since, "%s requested", approvals(status.Class))
	}
	for i := range status.Approvals {
		add(&status.Approvals[i].At, "%s", decision(&status.Approvals[i]))
	}
	add(status.StartedAt, "started%s: %s", haste(status.Review), making(session))
	at, review := reviewOf(session)
	add(at, "%s", review)
	if at := status.Debugger; at != nil {
		add(at.StartedAt, "the debugger started")
		if status.Target != nil {
			add(status.Target.ReplacedAt, "pod %s was deleted and replaced by its copy", status.Target.PodName)
		}
		add(at.FinishedAt, "the debugger ended%s%s", exit(at), stoppedBy(at))
	}
	for i := range status.Members {
		row := &status.Members[i]
		add(row.TriggeredAt, "triggered: %s", row.Trigger)
		add(row.StartedAt, "the debugger started in pod %s: session %s", row.PodName, row.Name)
	}
	add(status.EndedAt, "ended: %s%s", status.Outcome, ifAny(": ", Message(session)))
	if !Over(session) {
		add(status.ExpiresAt, "it expires")
	}
	slices.SortStableFunc(told, func(a, b Moment) int { return a.At.Compare(b.At) })
	return told
}

// admittedAt is when the session's target was found fit; nil if it was not, or is not there yet.
func admittedAt(status *v1alpha1.DebugSessionStatus) *metav1.Time {
	fit := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionAdmissible)
	if fit == nil || fit.Status != metav1.ConditionTrue || fit.Reason == v1alpha1.ReasonArmed || status.Target == nil {
		return nil
	}
	return &fit.LastTransitionTime
}

// choice is why this target was chosen; empty if it was named, and if each trigger chooses another.
func choice(session *v1alpha1.DebugSession) string {
	if target := session.Status.Target; target != nil && session.Spec.Target.Times() == 0 {
		return target.Choice
	}
	return ""
}

// reviewOf is when and how a session that started before its approval was reviewed, or by when it must be.
func reviewOf(session *v1alpha1.DebugSession) (at *metav1.Time, text string) {
	switch review := session.Status.Review; {
	case review == nil:
		return nil, ""
	case review.Decision == "":
		return &review.DueAt, "its review is due"
	default:
		return review.At, Review(session)
	}
}

func haste(review *v1alpha1.ReviewStatus) string {
	if review == nil {
		return ""
	}
	return " before its approval, as an emergency"
}

func decision(approval *v1alpha1.ApprovalStatus) string {
	if approval.Decision == v1alpha1.DecisionDeny {
		return approval.By + " denied it"
	}
	return approval.By + " approved it"
}

func wish(session *v1alpha1.DebugSession) string {
	spec := &session.Spec
	what := brings(spec, asked(&spec.Target))
	if ttl := session.TTL(); ttl != 0 {
		what += " for " + Duration(ttl)
	}
	return what + ifAny(", class ", spec.ClassName) + ifAny(": ", spec.Reason)
}

func asked(target *v1alpha1.Target) string {
	if target.All != nil {
		return fmt.Sprintf("each pod of %s (at most %d)", named(target), target.All.Max)
	}
	if times := target.Times(); times > 0 {
		return fmt.Sprintf("%s, each time that one of its pods %s (at most %d times)", named(target), Awaited(target.When), times)
	}
	return named(target) + ifAny(", as soon as one of its pods ", Awaited(target.When))
}

func named(target *v1alpha1.Target) string {
	switch {
	case target.IsPodNetwork():
		return "the network of pod " + target.PodNamespace + "/" + target.PodName
	case target.PodName != "":
		return "pod " + target.PodName
	case target.NodeName != "":
		return "node " + target.NodeName
	case target.Workload != nil:
		return strings.ToLower(target.Workload.Kind) + " " + target.Workload.Name
	case target.VolumeClaim != nil:
		return "volume claim " + target.VolumeClaim.Name + written(target.VolumeClaim)
	case target.Image != "":
		return "image " + target.Image
	default:
		return "a pod with " + metav1.FormatLabelSelector(target.Selector)
	}
}

// written tells of a volume that is not only read.
func written(claim *v1alpha1.VolumeClaim) string {
	if claim.Writes() {
		return ", to write"
	}
	return ""
}

func approvals(class *v1alpha1.ClassStatus) string {
	if class == nil || class.ApprovalsRequired == 1 {
		return "1 approval was"
	}
	return fmt.Sprintf("%d approvals were", class.ApprovalsRequired)
}

func making(session *v1alpha1.DebugSession) string {
	at := session.Status.Debugger
	switch {
	case session.Spec.Target.All != nil:
		return fmt.Sprintf("%d sessions, one for each pod", len(session.Status.Members))
	case session.Spec.HasMembers():
		return "a session at each trigger"
	}
	if at == nil {
		return starts(session)
	}
	return fmt.Sprintf("container %s in pod %s", at.ContainerName, at.PodName)
}

func exit(at *v1alpha1.DebuggerStatus) string {
	if at.ExitCode == nil {
		return ""
	}
	return fmt.Sprintf(" with exit code %d", *at.ExitCode)
}

func stoppedBy(at *v1alpha1.DebuggerStatus) string {
	switch at.StoppedBy {
	case v1alpha1.StoppedByCommand:
		return ", on its own"
	case v1alpha1.StoppedByOperator:
		return ", stopped by the operator"
	case v1alpha1.StoppedByDeadline, v1alpha1.StoppedByHardDeadline:
		return ", at its deadline"
	case v1alpha1.StoppedByIdleTimeout:
		return ", because it was idle"
	case v1alpha1.StoppedByTarget:
		return ", with its target"
	case v1alpha1.StoppedByOther:
		return ", stopped by someone else"
	default:
		return ""
	}
}

func ifAny(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}
