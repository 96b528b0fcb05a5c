package crdschema

import (
	"fmt"
	"io/fs"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"
	"sigs.k8s.io/yaml"
)

// Schema is that of one version of a CRD, compiled. It may be used concurrently.
type Schema struct {
	// Definition is the name of the CRD.
	Definition string
	// Kind is whose schema it is.
	Kind schema.GroupVersionKind

	namespaced bool
	content    any // as the CRD has it
	structural *structuralschema.Structural
	validator  *validate.SchemaValidator
}

// Load compiles the CRDs in a folder, which must have one version each.
func Load(folder fs.FS) (map[schema.GroupKind]*Schema, error) {
	files, err := fs.Glob(folder, "*.yaml")
	if err != nil {
		return nil, err
	}
	schemas := make(map[schema.GroupKind]*Schema, len(files))
	for _, file := range files {
		content, err := fs.ReadFile(folder, file)
		if err != nil {
			return nil, err
		}
		loaded, err := load(content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		schemas[loaded.Kind.GroupKind()] = loaded
	}
	return schemas, nil
}

func load(manifest []byte) (*Schema, error) {
	definition, object := &apiextensionsv1.CustomResourceDefinition{}, &unstructured.Unstructured{}
	if err := yaml.UnmarshalStrict(manifest, definition); err != nil {
		return nil, err
	}
	if err := yaml.Unmarshal(manifest, object); err != nil {
		return nil, err
	}
	if len(definition.Spec.Versions) != 1 {
		return nil, fmt.Errorf("it has %d versions instead of one", len(definition.Spec.Versions))
	}
	version := &definition.Spec.Versions[0]
	props := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(version.Schema.OpenAPIV3Schema, props, nil); err != nil {
		return nil, err
	}
	structural, err := structuralschema.NewStructural(props)
	if err != nil {
		return nil, err
	}
	s := &Schema{
		Definition: definition.Name,
		Kind:       schema.GroupVersionKind{Group: definition.Spec.Group, Version: version.Name, Kind: definition.Spec.Names.Kind},
		namespaced: definition.Spec.Scope == apiextensionsv1.NamespaceScoped,
		structural: structural,
	}
	s.content = s.contentOf(object)
	openAPI := structural.ToKubeOpenAPI()
	typeIntOrString(openAPI)
	s.validator = validate.NewSchemaValidator(openAPI, nil, "", strfmt.Default)
	return s, nil
}

// typeIntOrString has the validator say once of what is neither which types it may have: with anyOf it says so of each, and of all.
func typeIntOrString(s *spec.Schema) {
	if intOrString, _ := s.Extensions.GetBool("x-kubernetes-int-or-string"); intOrString {
		s.Type, s.AnyOf = spec.StringOrArray{"integer", "string"}, nil
	}
	for name, property := range s.Properties {
		typeIntOrString(&property)
		s.Properties[name] = property
	}
	if s.Items != nil {
		typeIntOrString(s.Items.Schema)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		typeIntOrString(s.AdditionalProperties.Schema)
	}
}

// Installed reports whether a CRD of the cluster has this very schema. In an upgrade, for one, it may be newer or older.
func (s *Schema) Installed(definition *unstructured.Unstructured) bool {
	content := s.contentOf(definition)
	return content != nil && equality.Semantic.DeepEqual(content, s.content)
}

// contentOf is the schema of the version as a CRD has it, or nil.
func (s *Schema) contentOf(definition *unstructured.Unstructured) any {
	versions, _, _ := unstructured.NestedSlice(definition.Object, "spec", "versions")
	for _, version := range versions {
		if version, ok := version.(map[string]any); ok && version["name"] == s.Kind.Version {
			return version["schema"]
		}
	}
	return nil
}
