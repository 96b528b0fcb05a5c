package v1alpha1_test

import (
	"os"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
)

func names[T ~string](values []T) []string {
	list := make([]string, len(values))
	for i, value := range values {
		list[i] = string(value)
	}
	return list
}

// enum returns what the schema of a file allows there.
func enum(t *testing.T, file string, path ...string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := yaml.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	var at []string
	if versions, of, _ := unstructured.NestedSlice(schema, "spec", "versions"); of { // a CRD
		schema, at = versions[0].(map[string]any), []string{"schema", "openAPIV3Schema"}
	}
	for _, field := range path {
		at = append(at, "properties", field)
	}
	list, found, err := unstructured.NestedStringSlice(schema, append(at, "enum")...)
	if !found || err != nil {
		t.Fatalf("%s: no enum at %v: %v", file, path, err)
	}
	return list
}

// Whatever lists the values of a type has all of them: the API's own functions, its schema (from the type's marker), and what is
// published.
func TestListsAreComplete(t *testing.T) {
	const (
		crd           = "../../config/crd/bases/debugsession.dev_debugsessions.yaml"
		notifications = "../../docs/notification.schema.json"
		records       = "../../docs/audit.schema.json"
	)
	modes, profiles := names(v1alpha1.Modes()), names(v1alpha1.Profiles())
	phases, outcomes := names(v1alpha1.Phases()), names(v1alpha1.Outcomes())
	for name, list := range map[string]struct{ want, got []string }{
		"Modes() and the marker of Mode":       {modes, enum(t, crd, "spec", "mode")},
		"Profiles() and the marker of Profile": {profiles, enum(t, crd, "spec", "profile")},
		"Phases() and the marker of Phase":     {phases, enum(t, crd, "status", "phase")},
		"Outcomes() and the marker of Outcome": {outcomes, enum(t, crd, "status", "outcome")},
		"Modes() and " + notifications:         {modes, enum(t, notifications, "session", "mode")},
		"Phases() and " + notifications:        {phases, enum(t, notifications, "session", "phase")},
		"Outcomes() and " + records:            {outcomes, enum(t, records, "session", "outcome")},
	} {
		slices.Sort(list.want)
		slices.Sort(list.got)
		if !slices.Equal(list.want, list.got) {
			t.Errorf("%s differ: %v and %v", name, list.want, list.got)
		}
	}
}
