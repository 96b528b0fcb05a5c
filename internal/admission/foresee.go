package admission

import (
	"context"
	"fmt"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/kube/accessreview"
)

// foresight is how long admission looks ahead: what is only a warning must hold nobody up.
const (
	foresight       = time.Second
	dryRunForesight = 3 * time.Second
)

// NewRehearsalLimit is for more sessions than people create, and for fewer than somebody who floods the webhooks: they believe whoever
// calls about who asks, so that there is one limit for all. Beyond it sessions are created as ever, without being told what becomes of them.
func NewRehearsalLimit() flowcontrol.PassiveRateLimiter {
	const perSecond, atOnce = 20, 400
	return flowcontrol.NewTokenBucketPassiveRateLimiter(perSecond, atOnce)
}

// foresee warns whoever creates a session of what would become of it: of a target that is not there, or of what its target does not
// have. That is never a refusal, as the target may come or be another by then. A dry run is told all, but only of what its user may read. It looks
// while the caller goes on to ask whether the user may have the session at all: only then they may be told, by what it returns.
func (s *Server) foresee(ctx context.Context, req *admission.Request, session *v1alpha1.DebugSession) (told func() []string) {
	if s.Rehearse == nil || s.Cached.Get(ctx, client.ObjectKey{Name: session.Spec.ClassName}, &v1alpha1.DebugClass{}) != nil { // it waits for its class
		return func() []string { return nil }
	}
	dryRun := ptr.Deref(req.DryRun, false) // which has the API server try what the user may not do yet, perhaps
	look := func() []string { return s.foreseeSlips(ctx, session) }
	if !dryRun && accepts(s.AheadLimit) {
		look = elsewhere(look)
	}
	return func() []string {
		accepted := accepts(s.RehearsalLimit)
		switch {
		case accepted && dryRun:
			ctx, cancel := context.WithTimeout(ctx, dryRunForesight)
			defer cancel()
			return []string{v1alpha1.DryRunWarning + s.foreseeAll(ctx, req, session)}
		case accepted:
			return look()
		case dryRun:
			return []string{v1alpha1.DryRunWarning + "the session may be created; its outcome cannot be predicted now, because too many sessions are being created: try again in a minute"}
		default:
			return nil // the session itself will say
		}
	}
}

func accepts(limit flowcontrol.PassiveRateLimiter) bool { return limit == nil || limit.TryAccept() }

// elsewhere has something found out in a goroutine of its own. A panic is the caller's, as if it had called: what answers requests outlives that.
func elsewhere(find func() []string) (found func() []string) {
	answer := make(chan func() []string, 1)
	go func() {
		defer func() {
			if panicked := recover(); panicked != nil {
				answer <- func() []string { panic(panicked) }
			}
		}()
		said := find()
		answer <- func() []string { return said }
	}()
	return func() []string { return (<-answer)() }
}

// foreseeSlips is what would become of the session, as far as that is soon said and not what its user wants.
func (s *Server) foreseeSlips(ctx context.Context, session *v1alpha1.DebugSession) []string {
	ctx, cancel := context.WithTimeout(ctx, foresight)
	defer cancel()
	status, err := s.Rehearse(ctx, session, false)
	switch {
	case err != nil: // the session itself will say
		return nil
	case status.Phase == v1alpha1.PhaseEnded:
		return []string{fmt.Sprintf("as things stand, this session will end as %s: %s", status.Outcome, status.Message())}
	case status.Phase == v1alpha1.PhasePending && status.Reason == v1alpha1.ReasonTargetNotFound:
		return []string{fmt.Sprintf("%s; if it is still missing by then, this session will end as %s%s", status.Message(), v1alpha1.OutcomeTimedOut, correct(session))}
	default:
		return nil
	}
}

// correct is how a session is corrected.
func correct(session *v1alpha1.DebugSession) string {
	return fmt.Sprintf("; if the name is wrong, correct the manifest and run: kubectl replace --force -n %s -f FILE", session.Namespace)
}

// foreseeAll is what would become of the session.
func (s *Server) foreseeAll(ctx context.Context, req *admission.Request, session *v1alpha1.DebugSession) string {
	look := &authorizationv1.ResourceAttributes{Version: "v1", Resource: "pods", Verb: "get", Namespace: session.Namespace}
	what := fmt.Sprintf("get pods in namespace %q (kubectl auth can-i get pods -n %s)", session.Namespace, session.Namespace)
	if session.Spec.Target.IsPodNetwork() {
		look.Namespace = session.TargetNamespace()
		what = fmt.Sprintf("get pods in namespace %q (kubectl auth can-i get pods -n %s)", look.Namespace, look.Namespace)
	} else if session.Spec.Mode == v1alpha1.ModeNode {
		look.Resource, look.Namespace, what = "nodes", "", "get nodes (kubectl auth can-i get nodes)"
	}
	if session.Spec.Target.VolumeClaim != nil {
		look.Resource = "persistentvolumeclaims"
		what = fmt.Sprintf("get persistentvolumeclaims in namespace %q (kubectl auth can-i get persistentvolumeclaims -n %s)", session.Namespace, session.Namespace)
	}
	if review, err := accessreview.Review(ctx, s.Reviews, identityOf(&req.UserInfo), look); err != nil || !review.Allowed {
		return "the session may be created; its outcome is shown only to users who may " + what
	}
	status, err := s.Rehearse(ctx, session, true)
	if err != nil {
		return fmt.Sprintf("the session may be created; its outcome cannot be predicted now: %v", err)
	}
	switch status.Phase {
	case v1alpha1.PhaseEnded:
		return fmt.Sprintf(v1alpha1.DryRunEnds+"%s: %s", status.Outcome, status.Message())
	case v1alpha1.PhaseAwaitingApproval:
		if session.Spec.Emergency {
			return "the API server would accept the debugger; the session would start before approval, as an emergency, and must then be reviewed"
		}
		return "the API server would accept the debugger; the session would wait for approval: " + status.Message()
	case v1alpha1.PhaseStarting:
		if session.Spec.HasMembers() {
			return fmt.Sprintf("a session would be created for each pod of %s; class %q requires no approval, and they would end at %s",
				status.Target.Name, session.Spec.ClassName, status.ExpiresAt.UTC().Format(time.RFC3339))
		}
		return fmt.Sprintf("the API server would accept the debugger for %s; class %q requires no approval, and the session would end at %s",
			status.Target.Name, session.Spec.ClassName, status.ExpiresAt.UTC().Format(time.RFC3339))
	default:
		return "the session would wait: " + status.Message()
	}
}
