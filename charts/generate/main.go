// Command generate makes of what config installs what the Helm chart installs: the templates of the CRDs, the roles, the webhooks
// and the admission policies, and the schema of the chart's values. What a chart's user sets is in templates written by hand:
// the Deployment, the Services, the hooks.
//
//	generate CHART VALUES-SCHEMA <MANIFESTS
//
// CHART is the chart's folder, VALUES-SCHEMA the schema of the values but for those that a CRD describes. `make manifests` runs it.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
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
	objects, err := parse(string(manifests))
	if err != nil {
		return err
	}
	if err := writeTemplates(filepath.Join(chart, "templates"), objects); err != nil {
		return err
	}
	return writeSchema(filepath.Join(chart, "values.schema.json"), schema, objects)
}

// manifest is an object as it is written and as it is.
type manifest struct {
	text   string
	object *unstructured.Unstructured
}

func parse(text string) ([]manifest, error) {
	var all []manifest
	for _, document := range strings.Split(text, "\n---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), object); err != nil {
			return nil, err
		}
		all = append(all, manifest{document, object})
	}
	return all, nil
}

func writeTemplates(folder string, manifests []manifest) error {
	files := map[string][]string{}
	for _, m := range manifests {
		name, template, err := templated(m.object, m.text)
		if err != nil {
			return err
		}
		if name != "" {
			files[name] = append(files[name], template)
		}
	}
	for name, templates := range files {
		text := header + strings.Join(templates, "---\n")
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func writeSchema(path, base string, manifests []manifest) error {
	schema, err := os.ReadFile(base)
	if err != nil {
		return err
	}
	crds := map[string]*unstructured.Unstructured{}
	for _, m := range manifests {
		if m.object.GetKind() == "CustomResourceDefinition" {
			kind, _, _ := unstructured.NestedString(m.object.Object, "spec", "names", "kind")
			crds[kind] = m.object
		}
	}
	values, err := valuesSchema(schema, crds)
	if err != nil {
		return err
	}
	return os.WriteFile(path, values, 0o644)
}
