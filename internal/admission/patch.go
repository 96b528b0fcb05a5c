package admission

import (
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// patch is what is changed in an object: just that. Encoding the object anew would also rewrite what the user wrote (60m
// as 1h0m0s), which a tool that applies manifests would then see as drift.
type patch []jsonpatch.Operation

// set writes a value, whether there was one or not.
func (p *patch) set(path string, value any) {
	*p = append(*p, jsonpatch.NewOperation("add", path, value))
}

// add puts a value at the end of a list that has the given length so far.
func (p *patch) add(path string, length int, value any) {
	if length == 0 {
		p.set(path, []any{value})
		return
	}
	p.set(path+"/-", value)
}

// annotate writes one annotation beside those that there are.
func (p *patch) annotate(there map[string]string, key, value string) {
	if there == nil {
		p.set("/metadata/annotations", map[string]string{key: value})
		return
	}
	p.set("/metadata/annotations/"+strings.ReplaceAll(key, "/", "~1"), value)
}

func (p *patch) addFinalizer(meta *metav1.ObjectMeta, finalizer string) {
	p.add("/metadata/finalizers", len(meta.Finalizers), finalizer)
}

func (p *patch) response() admission.Response {
	return admission.Patched("", *p...)
}
