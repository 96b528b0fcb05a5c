package admission

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/policy"
)

const (
	// mostReviews is how many SubjectAccessReviews it may cost to name in a refusal what the user may do instead.
	mostReviews = 10

	// reviewTime is how long they may take in all: the API server waits five seconds for the answer, and the refusal is worth more.
	reviewTime = 2 * time.Second
)

// alternatives is the part of a refusal that names the other classes which the user may use for the session where it is; if none of these
// allows it as it is written, those that are for its mode. Everybody may read classes, so that naming them tells nobody anything.
func (s *Server) alternatives(ctx context.Context, user *authenticationv1.UserInfo, session *v1alpha1.DebugSession) string {
	ctx, cancel := context.WithTimeout(ctx, reviewTime)
	defer cancel()
	fitting, others := s.candidates(ctx, session)
	reviews := mostReviews
	if usable := s.usable(ctx, user, session.Namespace, fitting, &reviews); len(usable) > 0 {
		return offer(usable, "which allows this session: set spec.className to it (for details: %s)",
			"each of which allows this session: set spec.className to one of them (for details: %s)")
	}
	if usable := s.usable(ctx, user, session.Namespace, others, &reviews); len(usable) > 0 {
		return offer(usable, "but it does not allow this session as written; to see what it allows: %s",
			"but none of them allows this session as written; to see what one allows: %s")
	}
	return fmt.Sprintf("no other class for mode %s is available to you in namespace %q; list all classes with kubectl get debugclasses, "+
		"and ask a namespace or cluster administrator to grant you one, or to change what this one allows", session.Spec.Mode, session.Namespace)
}

// candidates are the names of the other classes that allow the session, and of those that are for its mode.
func (s *Server) candidates(ctx context.Context, session *v1alpha1.DebugSession) (fitting, others []string) {
	classes := &v1alpha1.DebugClassList{}
	namespace, err := s.namespaceLabels(ctx, session.Namespace)
	if err != nil || s.Cached.List(ctx, classes) != nil {
		return nil, nil
	}
	own := session.Namespace == s.Namespace
	for i := range classes.Items {
		class := &classes.Items[i]
		switch {
		case class.Name == session.Spec.ClassName || class.DeletionTimestamp != nil:
		case policy.Check(class, session, namespace, own) == "":
			fitting = append(fitting, class.Name)
		case policy.AllowsMode(class, &session.Spec, namespace, own):
			others = append(others, class.Name)
		}
	}
	slices.Sort(fitting)
	slices.Sort(others)
	return fitting, others
}

// usable are those of the classes that the user may use, as far as the reviews go. Where the cluster does not say, it is not offered.
func (s *Server) usable(ctx context.Context, user *authenticationv1.UserInfo, namespace string, classes []string, reviews *int) []string {
	var usable []string
	for _, class := range classes {
		if *reviews == 0 {
			break
		}
		*reviews--
		if s.permit(ctx, user, v1alpha1.VerbUse, class, namespace) == nil {
			usable = append(usable, class)
		}
	}
	return usable
}

// offer names classes that the user may use, with what is to be said of one, or of each of several.
func offer(classes []string, ofOne, ofEach string) string {
	if len(classes) == 1 {
		return fmt.Sprintf("you may use class %q here, "+ofOne, classes[0], describeClass(classes[0]))
	}
	quoted := make([]string, len(classes))
	for i, class := range classes {
		quoted[i] = fmt.Sprintf("%q", class)
	}
	return fmt.Sprintf("you may use classes %s here, "+ofEach, strings.Join(quoted, ", "), describeClass(classes[0]))
}

func describeClass(name string) string { return "kubectl describe debugclass " + name }

// similarClass asks whether a class was meant that there is.
func (s *Server) similarClass(ctx context.Context, name string) string {
	classes := &v1alpha1.DebugClassList{}
	if s.Cached.List(ctx, classes) != nil {
		return ""
	}
	names := make([]string, len(classes.Items))
	for i := range classes.Items {
		names[i] = classes.Items[i].Name
	}
	return debugpod.DidYouMean(name, names)
}

// refuseUse adds to a refusal what the user may do instead. Of a class that there is not, the name may be mistyped; everybody may read classes.
func (s *Server) refuseUse(ctx context.Context, req *admission.Request, session *v1alpha1.DebugSession, refusal *admission.Response) admission.Response {
	said, name := refusal.Result.Message, session.Spec.ClassName
	similar := ""
	if apierrors.IsNotFound(s.Cached.Get(ctx, client.ObjectKey{Name: name}, &v1alpha1.DebugClass{})) {
		said = fmt.Sprintf("%q may not use class %q in namespace %q, and no DebugClass of that name exists", req.UserInfo.Username, name, session.Namespace)
		similar = s.similarClass(ctx, name)
	}
	return forbidden("%s; %s%s", said, s.alternatives(ctx, &req.UserInfo, session), similar)
}
