package story

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plaintext"
)

// Fact is something that an approver should know.
type Fact struct{ Name, Value string }

// Request is what a session asks for: who, what, why, for how long and with what access.
func Request(session *v1alpha1.DebugSession) []Fact {
	facts := []Fact{
		{"who", cmp.Or(requester(session), "unknown") + groups(session)},
		{"what", wishWithout(session)},
		{"why", cmp.Or(session.Spec.Reason, "no reason given")},
		{"how long", Duration(session.TTL())},
		{"class", session.Spec.ClassName},
	}
	if review := session.Status.Review; review != nil {
		facts = append(facts, Fact{"emergency", fmt.Sprintf("started before its approval, at %s; review due by %s",
			review.Since.UTC().Format(time.RFC3339), review.DueAt.UTC().Format(time.RFC3339))})
	}
	if class := session.Status.Class; class != nil && len(class.AccessVerbs) > 0 {
		facts = append(facts, Fact{"access", joined(class.AccessVerbs, ", ") + subjects(session)})
	}
	if paths := session.Spec.Debugger.Artifacts; len(paths) > 0 {
		most := ""
		if class := session.Status.Class; class != nil && class.MaxArtifactSize != nil {
			most = ", up to " + class.MaxArtifactSize.String()
		}
		facts = append(facts, Fact{"keeps", strings.Join(paths, ", ") + " of the debugger, in the audit store" + most})
	}
	if request := session.Status.Request; request != nil && len(request.Hidden) > 0 {
		facts = append(facts, Fact{"hidden", "values of " + hidden(request.Hidden) + "; the approval covers them too"})
	}
	for i := range facts {
		facts[i].Value = plaintext.Line(facts[i].Value)
	}
	return facts
}

// Review is how a session was reviewed that started before its approval; empty if it was not, or did not.
func Review(session *v1alpha1.DebugSession) string {
	review := session.Status.Review
	switch {
	case review == nil || review.Decision == "":
		return ""
	case review.Decision == v1alpha1.DecisionDeny:
		return "denied in review by " + plaintext.Text(review.By)
	default:
		return "acknowledged in review by " + plaintext.Text(review.By)
	}
}

func hidden(values []v1alpha1.HiddenValues) string {
	said := make([]string, len(values))
	for i, of := range values {
		said[i] = strings.Join(slices.Concat(of.Env, of.HTTPHeaders), ", ") + " (" + of.Container + ")"
	}
	return strings.Join(said, ", ")
}

func groups(session *v1alpha1.DebugSession) string {
	if session.Spec.Requester == nil || len(session.Spec.Requester.Groups) == 0 {
		return ""
	}
	return " (" + strings.Join(session.Spec.Requester.Groups, ", ") + ")"
}

func wishWithout(session *v1alpha1.DebugSession) string {
	what := asked(&session.Spec.Target)
	if found := session.Status.Target; found != nil && found.PodName != "" && session.Spec.Target.PodName == "" {
		what += " (pod " + found.PodName + ")"
	}
	what = brings(&session.Spec, what)
	if session.Spec.Target.NodeName != "" {
		return what
	}
	return what + ", in namespace " + session.Namespace
}

func subjects(session *v1alpha1.DebugSession) string {
	if session.Spec.Access == nil {
		return ", for " + cmp.Or(requester(session), "the requester")
	}
	who := make([]string, len(session.Spec.Access.Subjects))
	for i, s := range session.Spec.Access.Subjects {
		who[i] = s.Kind + " " + s.Name
	}
	return ", for " + strings.Join(who, ", ")
}

// Counts reports whether an approval, or a denial, is among those that count for the session, or has had its effect.
func Counts(session *v1alpha1.DebugSession, approval string) bool {
	return slices.ContainsFunc(session.Status.Approvals, func(a v1alpha1.ApprovalStatus) bool { return a.Name == approval }) ||
		session.Status.Phase != v1alpha1.PhaseAwaitingApproval && !session.Status.AwaitsReview()
}
