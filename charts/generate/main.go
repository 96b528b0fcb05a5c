// Command generate makes of what config installs what the Helm chart installs: the templates of the CRDs, the roles, the webhooks
// and the admission policies, and the schema of the chart's values. What a chart's user sets is in templates written by hand:
// the Deployment, the Services, the hooks.
//
//	generate CHART VALUES-SCHEMA <MANIFESTS
//
// CHART is the chart's folder, VALUES-SCHEMA the schema of the values but for those that a CRD describes. `make manifests` runs it.
package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Args[1:], os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: generate CHART VALUES-SCHEMA <MANIFESTS")
	}
	chart, schema := args[0], args[1]
	manifests, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	files, crds := map[string][]string{}, map[string]*unstructured.Unstructured{}
	for _, text := range strings.Split(string(manifests), "\n---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), object); err != nil {
			return err
		}
		if object.GetKind() == "CustomResourceDefinition" {
			kind, _, _ := unstructured.NestedString(object.Object, "spec", "names", "kind")
			crds[kind] = object
		}
		name, template, err := templated(object, text)
		if err != nil {
			return err
		}
		if name != "" {
			files[name] = append(files[name], template)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text := header + strings.Join(files[name], "---\n")
		if err := os.WriteFile(filepath.Join(chart, "templates", name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	base, err := os.ReadFile(schema)
	if err != nil {
		return err
	}
	values, err := valuesSchema(base, crds)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(chart, "values.schema.json"), append(bytes.TrimSpace(values), '\n'), 0o644)
}
