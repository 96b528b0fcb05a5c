package admission

import (
	"cmp"
	"context"
	"io/fs"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"debugsession.dev/operator/config/crd"
	"debugsession.dev/operator/internal/crdschema"
)

// schemaCheck refuses what the API server would refuse by the schema of its CRD, in the same words, but without the line
// "<nil>: Invalid value: null: some validation rules were not checked". Whatever it is not sure of, it lets by.
type schemaCheck struct {
	live    client.Reader
	schemas map[schema.GroupKind]*crdschema.Schema

	mu        sync.Mutex
	installed map[string]installed // by the CRD's name
}

// installed is whether the CRD of some generation has the schema that is part of this binary.
type installed struct {
	uid        types.UID
	generation int64
	same       bool
}

// ownSchemas are those that are part of this binary, compiled when they are first needed.
var ownSchemas = sync.OnceValue(func() map[schema.GroupKind]*crdschema.Schema {
	bases, err := fs.Sub(crd.Bases, "bases")
	if err != nil {
		panic(err)
	}
	schemas, err := crdschema.Load(bases)
	if err != nil {
		panic(err)
	}
	return schemas
})

func newSchemaCheck(live client.Reader) *schemaCheck {
	return &schemaCheck{live: live, schemas: ownSchemas(), installed: map[string]installed{}}
}

// before has a handler see only objects that are as their schema wants them, as far as that can be told.
func (c *schemaCheck) before(handle admission.HandlerFunc) admission.HandlerFunc {
	return func(ctx context.Context, req admission.Request) admission.Response {
		if status := c.refusal(ctx, &req); status != nil {
			response := admission.Response{}
			response.Result = status
			return response
		}
		return handle(ctx, req)
	}
}

func (c *schemaCheck) refusal(ctx context.Context, req *admission.Request) *metav1.Status {
	kind := schema.GroupKind{Group: req.Kind.Group, Kind: req.Kind.Kind}
	s := c.schemas[kind]
	if s == nil || s.Kind.Version != req.Kind.Version {
		return nil
	}
	var object, old map[string]any
	if json.Unmarshal(req.Object.Raw, &object) != nil || len(req.OldObject.Raw) > 0 && json.Unmarshal(req.OldObject.Raw, &old) != nil {
		return nil
	}
	wrong := s.Blocking(object, old)
	if len(wrong) == 0 || !c.isInstalled(ctx, s) {
		return nil
	}
	meta := unstructured.Unstructured{Object: object}
	status := apierrors.NewInvalid(kind, cmp.Or(req.Name, meta.GetName(), meta.GetGenerateName()), wrong).Status()
	return &status
}

// isInstalled reports whether the schema is the one by which the API server validates. In an upgrade, for one, it may be newer or older,
// and a refusal by another schema could be in the way of the very upgrade.
func (c *schemaCheck) isInstalled(ctx context.Context, s *crdschema.Schema) bool {
	kind := schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}
	meta := &metav1.PartialObjectMetadata{}
	meta.SetGroupVersionKind(kind)
	if c.live.Get(ctx, client.ObjectKey{Name: s.Definition}, meta) != nil {
		return false
	}
	c.mu.Lock()
	known := c.installed[s.Definition]
	c.mu.Unlock()
	if known.uid == meta.UID && known.generation == meta.Generation {
		return known.same
	}
	definition := &unstructured.Unstructured{}
	definition.SetGroupVersionKind(kind)
	if c.live.Get(ctx, client.ObjectKey{Name: s.Definition}, definition) != nil {
		return false
	}
	known = installed{definition.GetUID(), definition.GetGeneration(), s.Installed(definition)}
	c.mu.Lock()
	c.installed[s.Definition] = known
	c.mu.Unlock()
	return known.same
}
