package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// specs are the definitions of the values' schema that are made of the CRDs, by kind: a class with a field that does not exist is
// refused before anything is installed.
var specs = map[string]string{"DebugClass": "classSpec", "DebugSink": "sinkSpec"}

func valuesSchema(base []byte, crds map[string]*unstructured.Unstructured) ([]byte, error) {
	var schema map[string]any
	if err := json.Unmarshal(base, &schema); err != nil {
		return nil, fmt.Errorf("the schema of the values: %w", err)
	}
	definitions, ok := schema["definitions"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the schema of the values has no definitions")
	}
	for kind, definition := range specs {
		crd, ok := crds[kind]
		if !ok {
			return nil, fmt.Errorf("there is no CRD of kind %s", kind)
		}
		versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
		if err != nil || len(versions) != 1 {
			return nil, fmt.Errorf("kind %s: one version is expected", kind)
		}
		spec, found, err := unstructured.NestedMap(versions[0].(map[string]any), "schema", "openAPIV3Schema", "properties", "spec")
		if err != nil || !found {
			return nil, fmt.Errorf("kind %s has no schema of its spec: %w", kind, err)
		}
		definitions[definition] = plain(spec)
	}
	out := &bytes.Buffer{}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(schema)
	return out.Bytes(), err
}

// plain is a schema of a CRD as JSON Schema: without what JSON Schema does not know or means otherwise, such as the format of a
// duration, and closed where a CRD drops what it does not know.
func plain(schema map[string]any) map[string]any {
	out := map[string]any{}
	for key, value := range schema {
		switch {
		case strings.HasPrefix(key, "x-kubernetes-"), key == "description", key == "format", key == "default":
		case key == "properties":
			properties := map[string]any{}
			for name, property := range value.(map[string]any) {
				properties[name] = plain(property.(map[string]any))
			}
			out[key], out["additionalProperties"] = properties, false
		default:
			out[key] = plainValue(value)
		}
	}
	if schema["x-kubernetes-preserve-unknown-fields"] == true {
		delete(out, "additionalProperties")
	}
	return out
}

func plainValue(value any) any {
	switch value := value.(type) {
	case map[string]any:
		return plain(value)
	case []any:
		out := make([]any, 0, len(value))
		for _, item := range value {
			out = append(out, plainValue(item))
		}
		return out
	}
	return value
}
