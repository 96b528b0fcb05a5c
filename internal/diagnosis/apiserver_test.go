package diagnosis_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"debugsession.dev/operator/internal/diagnosis"
)

func TestRefusedSaysWhatToDo(t *testing.T) {
	for words, want := range map[string]string{
		`violates PodSecurity "baseline:latest": privileged`:                            "profile",
		"exceeded quota: pods":                                                          "quota",
		`unable to create new content in namespace shop because it is being terminated`: "namespace is being deleted",
		`admission webhook "images.example.com" denied the request: no`:                 "webhook's owner",
		`ValidatingAdmissionPolicy 'no-busybox' denied request: no`:                     "policy's owner",
		`cannot patch resource "pods/ephemeralcontainers"`:                              "ClusterRole",
		"something else": "fix what it names",
	} {
		if got := diagnosis.Refused(errors.New(words), ""); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q in it", words, got, want)
		}
	}
}

// A copy has each container once: who adds one to every pod has added it again.
func TestWhatIsInjectedTwiceIsNamed(t *testing.T) {
	spec := field.NewPath("spec")
	err := apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "web", field.ErrorList{
		field.Duplicate(spec.Child("containers").Index(2).Child("name"), "proxy"),
		field.Duplicate(spec.Child("initContainers").Index(1).Child("name"), "setup"),
		field.Duplicate(spec.Child("volumes").Index(1).Child("name"), "data"),
	})
	message := diagnosis.Refused(err, "")
	if want := "set podCopy.omitContainers: [proxy, setup]"; !strings.Contains(message, want) ||
		!strings.Contains(message, "admission webhook or policy") {
		t.Errorf("%s, want %q in it", message, want)
	}
}

func TestUIDDiffers(t *testing.T) {
	metadata, pod := field.NewPath("metadata"), schema.GroupKind{Kind: "Pod"}
	other := apierrors.NewInvalid(pod, "web", field.ErrorList{field.Invalid(metadata.Child("uid"), "1", "field is immutable")})
	named := apierrors.NewInvalid(pod, "web", field.ErrorList{field.Invalid(metadata.Child("name"), "1", "field is immutable")})
	if !diagnosis.UIDDiffers(fmt.Errorf("patching: %w", other)) || diagnosis.UIDDiffers(named) ||
		diagnosis.UIDDiffers(errors.New("metadata.uid")) {
		t.Error("another pod of the name is not told from what else is invalid")
	}
}

func TestTooLarge(t *testing.T) {
	for _, err := range []error{
		apierrors.NewRequestEntityTooLargeError("limit is 3145728"), errors.New("etcdserver: request is too large"),
		errors.New("rpc error: trying to send message larger than max (2097187 vs. 2097152)"),
	} {
		if !diagnosis.TooLarge(err) {
			t.Errorf("%v is not", err)
		}
	}
	if err := apierrors.NewConflict(corev1.Resource("pods"), "web", errors.New("modified")); diagnosis.TooLarge(err) {
		t.Errorf("%v is", err)
	}
}
