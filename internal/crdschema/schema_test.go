package crdschema_test

import (
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/internal/crdschema"
)

const bases = "../../config/crd/bases"

func sessions(t testing.TB) *crdschema.Schema {
	t.Helper()
	schemas, err := crdschema.Load(os.DirFS(bases))
	if err != nil {
		t.Fatal(err)
	}
	if len(schemas) != 4 {
		t.Fatalf("%d kinds, want 4", len(schemas))
	}
	return schemas[schema.GroupKind{Group: "debugsession.dev", Kind: "DebugSession"}]
}

func parse(t testing.TB, manifest string) map[string]any {
	t.Helper()
	var object unstructured.Unstructured
	if err := yaml.Unmarshal([]byte(manifest), &object); err != nil {
		t.Fatal(err)
	}
	return object.Object
}

const head = "apiVersion: debugsession.dev/v1alpha1\nkind: DebugSession\nmetadata: {name: hang, namespace: shop}\n"

func spec(fields string) string { return head + "spec: {" + fields + "}\n" }

const sound = "mode: PodCopy, ttl: 30m, target: {podName: web}, debugger: {image: busybox, command: [sh]}"

func TestBlocking(t *testing.T) {
	s := sessions(t)
	tests := map[string]struct {
		manifest, old string
		want          []string
	}{
		"sound":                      {manifest: spec(sound)},
		"against a rule in CEL":      {manifest: spec(sound + ", podCopy: {name: '-'}")},
		"of an unknown field":        {manifest: spec(sound + ", colour: blue")},
		"of a status that is ours":   {manifest: spec(sound) + "status: {phase: Sleeping, startedAt: 1}\n"},
		"against a label's own rule": {manifest: strings.Replace(spec(sound), "shop", "shop, labels: {a: '!'}", 1)},
		"no spec":                    {manifest: head, want: []string{"spec: Required value"}},
		"no target":                  {manifest: spec("mode: PodCopy, debugger: {}"), want: []string{"spec.target: Required value"}},
		"an enum": {
			manifest: spec("mode: Copy, target: {podName: web}, debugger: {}"),
			want:     []string{`spec.mode: Unsupported value: "Copy": supported values: "EphemeralContainer", "PodCopy", "Node"`},
		},
		"a type": {
			manifest: spec(sound + ", end: 'yes'"),
			want:     []string{`spec.end: Invalid value: "string": spec.end in body must be of type boolean: "string"`},
		},
		"neither a number nor a string": {
			manifest: spec(sound + ", podCopy: {containers: [{name: app, resources: {limits: {cpu: true}}}]}"),
			want: []string{
				`spec.podCopy.containers[0].resources.limits.cpu: Invalid value: "boolean": ` +
					`spec.podCopy.containers[0].resources.limits.cpu in body must be of type integer,string: "boolean"`,
			},
		},
		"a length": {
			manifest: spec(sound + ", reason: " + strings.Repeat("a", 1025)),
			want:     []string{"spec.reason: Too long: may not be more than 1024 bytes"},
		},
		"no number": {
			manifest: spec("mode: PodCopy, target: {podName: web}, debugger: {command: [" + strings.Repeat("sh,", 65) + "]}"),
			want:     []string{"spec.debugger.command: Too many: 65: must have at most 64 items"},
		},
		"all at once": {
			manifest: strings.Replace(spec("mode: Copy, debugger: {volumeMounts: [{name: a, mountPath: /a}, {name: b, mountPath: /a}]}"),
				"shop", "shop, labels: {a: '!'}", 1),
			want: []string{
				`metadata.labels: Invalid value: "!": a valid label must be an empty string or consist of alphanumeric characters, '-', ` +
					`'_' or '.', and must start and end with an ` +
					`alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is ` +
					`'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
				`spec.debugger.volumeMounts[1]: Duplicate value: {"mountPath":"/a"}`,
				`spec.mode: Unsupported value: "Copy": supported values: "EphemeralContainer", "PodCopy", "Node"`,
				"spec.target: Required value",
			},
		},
		"of a name to come": {
			manifest: strings.Replace(spec("mode: Copy, target: {}, debugger: {}"), "name: hang", "generateName: hang-", 1),
			want:     []string{`spec.mode: Unsupported value: "Copy": supported values: "EphemeralContainer", "PodCopy", "Node"`},
		},
		"of what was sound": {
			manifest: spec(sound + ", end: 1"),
			old:      spec(sound),
			want:     []string{`spec.end: Invalid value: "integer": spec.end in body must be of type boolean: "integer"`},
		},
		"of what never was":      {manifest: spec(sound + ", end: 1"), old: spec("mode: Copy, target: {podName: web}, debugger: {}")},
		"of more than anybody's": {manifest: spec("mode: Copy, target: {}, debugger: {command: [" + strings.Repeat("1,", 1000) + "]}")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var old map[string]any
			if tt.old != "" {
				old = parse(t, tt.old)
			}
			var got []string
			for _, err := range s.Blocking(parse(t, tt.manifest), old) {
				got = append(got, err.Error())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// A CRD is compared as a whole: what is newer in it may be anywhere.
func TestInstalled(t *testing.T) {
	s := sessions(t)
	content, err := os.ReadFile(bases + "/debugsession.dev_debugsessions.yaml")
	if err != nil {
		t.Fatal(err)
	}
	definition := &unstructured.Unstructured{Object: parse(t, string(content))}
	if !s.Installed(definition) {
		t.Error("the CRD that it was made from is not recognized")
	}
	newer := &unstructured.Unstructured{
		Object: parse(t, strings.ReplaceAll(string(content), "- PodCopy\n", "- PodCopy\n                - Other\n")),
	}
	if s.Installed(newer) {
		t.Error("a CRD with another enum is taken for the same")
	}
	if s.Installed(&unstructured.Unstructured{Object: map[string]any{}}) {
		t.Error("no CRD is taken for the same")
	}
}

func TestConcurrently(t *testing.T) {
	s := sessions(t)
	wrong := parse(t, spec("mode: Copy, end: 1, debugger: {command: [1]}"))
	want := s.Blocking(wrong, nil).ToAggregate().Error()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				if got := s.Blocking(wrong, nil).ToAggregate().Error(); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
		})
	}
	group.Wait()
}

func BenchmarkBlocking(b *testing.B) {
	s := sessions(b)
	for name, manifest := range map[string]string{
		"sound":   spec(sound),
		"wrong":   spec("mode: Copy, end: 1, debugger: {}"),
		"hostile": spec("mode: Copy, target: {}, debugger: {command: [" + strings.Repeat("1,", 980) + "]}"),
	} {
		object := parse(b, manifest)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Blocking(object, nil)
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		sessions(b)
	}
}
