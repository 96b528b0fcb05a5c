package chart

import (
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

const root = "../.."

// release is what is installed: where, and with which values.
type release struct {
	namespace string
	values    string // YAML
}

// objects are a set of manifests by kind, namespace and name.
type objects map[string]*unstructured.Unstructured

// render is what Helm would install, with the hooks.
func (r release) render(t *testing.T) objects {
	t.Helper()
	rendered, err := r.try()
	if err != nil {
		t.Fatal(err)
	}
	delete(rendered, "debugsession/templates/NOTES.txt")
	all := objects{}
	for _, file := range slices.Sorted(maps.Keys(rendered)) {
		all.add(t, file, rendered[file])
	}
	return all
}

func (r release) try() (map[string]string, error) {
	chart, err := loader.LoadDir(filepath.Join(root, "charts", "debugsession"))
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	if err := sigsyaml.Unmarshal([]byte(r.values), &values); err != nil {
		return nil, err
	}
	if r.namespace == "" {
		r.namespace = "debugsession-system"
	}
	all, err := util.ToRenderValues(chart, values, common.ReleaseOptions{
		Name: "some-release", Namespace: r.namespace, Revision: 1, IsInstall: true,
	}, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Render(chart, all)
}

func (o objects) add(t *testing.T, source, text string) {
	t.Helper()
	documents := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := documents.Decode(object)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v\n%s", source, err, text)
		}
		if len(object.Object) == 0 {
			continue
		}
		key := object.GetKind() + " " + object.GetNamespace() + "/" + object.GetName()
		if o[key] != nil {
			t.Fatalf("%s: there are two of %s", source, key)
		}
		o[key] = object
	}
}

// installed are the objects that are no hook's, without what Helm adds to everything.
func (o objects) installed() objects {
	out := objects{}
	for key, object := range o {
		if object.GetAnnotations()["helm.sh/hook"] != "" {
			continue
		}
		object = object.DeepCopy()
		labels, annotations := object.GetLabels(), object.GetAnnotations()
		for _, label := range []string{"app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by",
			"helm.sh/chart"} {
			delete(labels, label)
		}
		delete(annotations, "helm.sh/resource-policy")
		if len(annotations) == 0 {
			annotations = nil
		}
		object.SetLabels(labels)
		object.SetAnnotations(annotations)
		out[key] = object
	}
	return out
}

// file are the manifests of a file of this repository.
func file(t *testing.T, path ...string) objects {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	out := objects{}
	out.add(t, filepath.Join(path...), string(text))
	return out
}

// same compares what the chart installs with what it should.
func same(t *testing.T, have, want objects) {
	t.Helper()
	for key := range have {
		if want[key] == nil {
			t.Errorf("%s is in the chart only", key)
		}
	}
	for key, object := range want {
		if have[key] == nil {
			t.Errorf("%s is not in the chart", key)
		} else if diff := cmp.Diff(object.Object, have[key].Object); diff != "" {
			t.Errorf("%s differs (-config +chart):\n%s", key, diff)
		}
	}
}

// at is a part of an object.
func (o objects) at(t *testing.T, key string, fields ...string) any {
	t.Helper()
	if o[key] == nil {
		t.Fatalf("%s is not there", key)
	}
	value, _, err := unstructured.NestedFieldNoCopy(o[key].Object, fields...)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// git lists the files of the repository that match.
func git(t *testing.T, pattern string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", pattern).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}
