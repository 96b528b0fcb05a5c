package admissionpolicy

import (
	"bytes"
	"sync"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/config/identity"
)

type (
	policy  = admissionregistrationv1.ValidatingAdmissionPolicy
	binding = admissionregistrationv1.ValidatingAdmissionPolicyBinding
)

// installed are the two objects as config/identity has them. They must not be changed.
var installed = sync.OnceValue(func() *manifests {
	var m manifests
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(identity.Manifests), 4096)
	for _, into := range []any{&m.policy, &m.binding} {
		if err := documents.Decode(into); err != nil {
			panic(err) // they are part of the binary
		}
	}
	return &m
})

// manifests are the policy and its binding as they have to be.
type manifests struct {
	policy  policy
	binding binding
}

// kinds are what has to be there.
func kinds() []client.Object { return []client.Object{&policy{}, &binding{}} }

func kindOf(object client.Object) string {
	if _, ok := object.(*policy); ok {
		return "ValidatingAdmissionPolicy"
	}
	return "ValidatingAdmissionPolicyBinding"
}

// whole reports whether an object is as it has to be. Anything else in it is a fault, also what only seems to widen it.
func whole(have client.Object) bool {
	switch have := have.(type) {
	case *policy:
		return equality.Semantic.DeepEqual(have.Spec, installed().policy.Spec)
	case *binding:
		return equality.Semantic.DeepEqual(have.Spec, installed().binding.Spec)
	}
	return false
}

// mended is the object as it has to be, with the metadata that it has.
func mended(have client.Object) client.Object {
	switch have := have.(type) {
	case *policy:
		now := &policy{ObjectMeta: *have.ObjectMeta.DeepCopy()}
		installed().policy.Spec.DeepCopyInto(&now.Spec)
		return now
	case *binding:
		now := &binding{ObjectMeta: *have.ObjectMeta.DeepCopy()}
		installed().binding.Spec.DeepCopyInto(&now.Spec)
		return now
	}
	panic("admissionpolicy: neither a policy nor a binding")
}
