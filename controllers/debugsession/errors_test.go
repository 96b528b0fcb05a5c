package debugsession

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
)

func TestClassify(t *testing.T) {
	pods, kind := corev1.Resource("pods"), schema.GroupKind{Kind: "Pod"}
	const done, refused, gone, unknown = "done", "refused", "gone", "unknown"
	inject, remove := plan.InjectDebugger{}, plan.DeletePod{}
	for name, tc := range map[string]struct {
		action plan.Action
		err    error
		want   string
	}{
		"no error":  {inject, nil, done},
		"not found": {inject, apierrors.NewNotFound(pods, "web"), gone},
		"of another UID": {
			inject,
			apierrors.NewInvalid(kind, "web", field.ErrorList{field.Invalid(field.NewPath("metadata", "uid"), "1", "field is immutable")}),
			gone,
		},
		"invalid": {
			inject,
			apierrors.NewInvalid(kind, "web", field.ErrorList{field.Required(field.NewPath("spec", "image"), "")}),
			refused,
		},
		"forbidden":   {inject, apierrors.NewForbidden(pods, "web", errors.New("violates PodSecurity")), refused},
		"bad request": {inject, apierrors.NewBadRequest("admission webhook denied it"), refused},
		"too large":   {inject, apierrors.NewRequestEntityTooLargeError("limit is 3145728"), refused},
		"conflict":    {inject, apierrors.NewConflict(pods, "web", errors.New("the object has been modified")), unknown},
		"conflict, when deleting": {
			remove,
			apierrors.NewConflict(pods, "web", errors.New("the UID in the precondition does not match")),
			gone,
		},
		"not found, when deleting":  {remove, apierrors.NewNotFound(pods, "web"), gone},
		"too many requests":         {inject, apierrors.NewTooManyRequests("busy", 1), unknown},
		"timeout":                   {inject, apierrors.NewServerTimeout(pods, "patch", 1), unknown},
		"a webhook does not answer": {inject, apierrors.NewInternalError(errors.New("failed calling webhook")), unknown},
		"unauthorized":              {inject, apierrors.NewUnauthorized("token expired"), unknown},
		"no answer":                 {inject, errors.New("connection refused"), unknown},
	} {
		t.Run(name, func(t *testing.T) {
			result := classify(tc.action, tc.err)
			if plan.EffectOf(tc.action) == plan.Removes {
				result = classifyDeletion(tc.action, tc.err)
			}
			got := done
			switch {
			case result.Refusal != nil:
				got = refused
			case result.Gone:
				got = gone
			case result.Err != nil:
				got = unknown
			}
			if got != tc.want || !reflect.DeepEqual(result.Action, tc.action) {
				t.Errorf("%T: %s (%v), want %s", result.Action, got, result, tc.want)
			}
			if got == refused &&
				(result.Refusal.Reason != v1alpha1.ReasonRefused || !strings.Contains(result.Refusal.Message, tc.err.Error())) {
				t.Errorf("refused with %+v, and the API server said %v", result.Refusal, tc.err)
			}
		})
	}
}
