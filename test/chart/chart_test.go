// Package chart tests the Helm chart without a cluster: what it installs is what config has, and its values do what they say.
package chart

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	sigsyaml "sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
)

const (
	deployment    = "Deployment debugsession-system/debugsession-operator"
	classesConfig = "ConfigMap debugsession-system/debugsession-classes"
)

// The chart and dist/install.yaml are the same installation.
func TestChartInstallsWhatTheManifestDoes(t *testing.T) {
	want := file(t, "dist", "install.yaml")
	delete(want, "Namespace /debugsession-system") // Helm makes it, or whoever installs
	same(t, release{}.render(t).installed(), want)
}

// What is not part of config/default either is the same as in config.
func TestOptionalObjectsAreThoseOfConfig(t *testing.T) {
	want := release{}.render(t).installed()
	for _, more := range []objects{
		file(t, "config", "policy", "debuggers.yaml"), file(t, "config", "network-policy", "webhook.yaml"),
		file(t, "config", "prometheus", "service_monitor.yaml"),
		file(t, "config", "prometheus", "rules.yaml"),
	} {
		for key, object := range more {
			object.SetLabels(map[string]string{
				"app.kubernetes.io/name":    "debugsession-operator",
				"app.kubernetes.io/part-of": "debugsession",
			})
			want[key] = object
		}
	}
	have := release{values: `{policies: {debuggers: true}, networkPolicy: {enabled: true, apiServerCIDRs: [192.0.2.0/24]},
		metrics: {serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}}}`}.render(t).installed()
	same(t, have, want)
}

// Records in a volume are the same as in config/audit-volume.
func TestAuditVolumeIsThatOfConfig(t *testing.T) {
	want := release{}.render(t).installed()
	delete(want, "PodDisruptionBudget debugsession-system/debugsession-operator")
	for key, object := range file(t, "config", "audit-volume", "volume_claim.yaml") {
		object.SetLabels(map[string]string{"app.kubernetes.io/name": "debugsession-operator", "app.kubernetes.io/part-of": "debugsession"})
		want[key] = object
	}
	patch := file(t, "config", "audit-volume", "deployment_patch.yaml")[deployment]
	patched, err := strategicpatch.StrategicMergeMapPatch(want[deployment].Object, patch.Object, appsv1.Deployment{})
	if err != nil {
		t.Fatal(err)
	}
	want[deployment] = &unstructured.Unstructured{Object: patched}
	have := release{values: `{audit: {volume: {enabled: true}}}`}.render(t)
	if policy := have["PersistentVolumeClaim debugsession-system/debugsession-audit"].GetAnnotations()["helm.sh/resource-policy"]; policy !=
		"keep" {
		t.Errorf("an uninstall deletes the records: the claim's resource policy is %q", policy)
	}
	same(t, have.installed(), want)
}

// Nothing of another release says where the default one would be.
func TestAnotherNamespaceAndServiceAccount(t *testing.T) {
	render := func(r release) string {
		text, err := json.Marshal(r.render(t).sorted())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	const values = `{serviceAccount: {name: some-account}, policies: {debuggers: true},
		networkPolicy: {enabled: true, apiServerCIDRs: [192.0.2.0/24]},
		metrics: {serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}},
		classes: {a: {spec: {modes: [PodCopy], profiles: [general], maxTTL: 1h}}}}`
	have := render(release{namespace: "some-namespace", values: values})
	if strings.Contains(have, "debugsession-system") {
		t.Error("the rendered release names debugsession-system")
	}
	if want := strings.ReplaceAll(render(release{values: values}), "debugsession-system", "some-namespace"); have != want {
		t.Errorf("it differs in more than its namespace:\n%s", cmp.Diff(want, have))
	}
	account := `"kind":"ServiceAccount","name":`
	if n := strings.Count(have, account+`"debugsession-operator"`); n != 0 {
		t.Errorf("%d bindings are for another service account", n)
	}
	if n := strings.Count(have, account+`"some-account"`); n != 3 {
		t.Errorf("%d bindings are for the service account, not 3", n)
	}
}

// sorted are the objects by kind and name.
func (o objects) sorted() []*unstructured.Unstructured {
	return slices.SortedFunc(maps.Values(o), func(a, b *unstructured.Unstructured) int {
		return strings.Compare(a.GetKind()+" "+a.GetName(), b.GetKind()+" "+b.GetName())
	})
}

// What a value is for is where it has to be.
func TestValuesReachTheDeployment(t *testing.T) {
	pod := func(fields ...string) []string { return append([]string{"spec", "template", "spec"}, fields...) }
	digest := "sha256:" + strings.Repeat("0", 64)
	for _, test := range []struct {
		values string
		at     []string
		want   any
	}{
		{`{replicas: 3}`, []string{"spec", "replicas"}, int64(3)},
		{`{imagePullSecrets: [{name: pull}]}`, pod("imagePullSecrets"), []any{map[string]any{"name": "pull"}}},
		{`{nodeSelector: {a: b}}`, pod("nodeSelector"), map[string]any{"a": "b"}},
		{`{tolerations: [{operator: Exists}]}`, pod("tolerations"), []any{map[string]any{"operator": "Exists"}}},
		{`{affinity: {podAffinity: {}}}`, pod("affinity"), map[string]any{"podAffinity": map[string]any{}}},
		{`{topologySpreadConstraints: []}`, pod("topologySpreadConstraints"), nil},
		{`{priorityClassName: high}`, pod("priorityClassName"), "high"},
		{`{extraVolumes: [{name: v, emptyDir: {}}]}`, pod("volumes"), []any{map[string]any{"name": "v", "emptyDir": map[string]any{}}}},
		{`{podAnnotations: {a: b}}`, []string{"spec", "template", "metadata", "annotations", "a"}, "b"},
		{`{podLabels: {a: b}}`, []string{"spec", "template", "metadata", "labels", "a"}, "b"},
		{`{commonLabels: {a: b}}`, []string{"metadata", "labels", "a"}, "b"},
		{`{image: {repository: r, tag: v1}}`, pod("0", "image"), "r:v1"},
		{`{image: {repository: r, tag: v1, digest: "` + digest + `"}}`, pod("0", "image"), "r@" + digest},
		{`{image: {repository: r, tag: v1}}`, pod("0", "env", "IMAGE"), "r:v1"},
		{`{image: {pullPolicy: Always}}`, pod("0", "imagePullPolicy"), "Always"},
		{`{goMemoryLimit: 1GiB}`, pod("0", "env", "GOMEMLIMIT"), "1GiB"},
		{`{proxy: {https: "http://proxy:3128"}}`, pod("0", "env", "HTTPS_PROXY"), "http://proxy:3128"},
		{
			`{proxy: {https: "http://proxy:3128"}}`,
			pod("0", "env", "NO_PROXY"),
			"$(KUBERNETES_SERVICE_HOST),localhost,127.0.0.1,.svc,.cluster.local",
		},
		{`{extraEnv: [{name: A, value: b}]}`, pod("0", "env", "A"), "b"},
		{`{resources: {limits: {memory: 1Gi}}}`, pod("0", "resources", "limits"), map[string]any{"memory": "1Gi"}},
		{
			`{extraVolumeMounts: [{name: v, mountPath: /v}]}`,
			pod("0", "volumeMounts"),
			[]any{map[string]any{"name": "v", "mountPath": "/v"}},
		},
		{`{audit: {store: "s3://audit?region=eu-central-1"}}`, pod("0", "last argument"), "--audit-store=s3://audit?region=eu-central-1"},
		{`{audit: {cluster: eu-1}}`, pod("0", "last argument"), "--audit-cluster=eu-1"},
		{
			`{tracing: {endpoint: "http://collector.observability:4317"}}`,
			pod("0", "last argument"),
			"--tracing-sampling-rate-per-million=1000000",
		},
		{`{tracing: {samplingRatePerMillion: 1}}`, pod("0", "last argument"), "--zap-log-level=info"},
		{`{audit: {credentialsSecret: s3}}`, pod("0", "envFrom"), []any{map[string]any{"secretRef": map[string]any{"name": "s3"}}}},
		{`{replicas: 3, audit: {volume: {enabled: true}}}`, []string{"spec", "replicas"}, int64(1)},
		{`{audit: {volume: {enabled: true, existingClaim: own}}}`, pod("volumes"), []any{
			map[string]any{"name": "audit", "persistentVolumeClaim": map[string]any{"claimName": "own"}},
		}},
		{`{audit: {volume: {enabled: true}}, extraVolumes: [{name: v, emptyDir: {}}]}`, pod("volumes"), []any{
			map[string]any{"name": "audit", "persistentVolumeClaim": map[string]any{"claimName": "debugsession-audit"}},
			map[string]any{"name": "v", "emptyDir": map[string]any{}},
		}},
		{`{logLevel: debug, extraArgs: ["--concurrency=8"]}`, pod("0", "last argument"), "--concurrency=8"},
		{`{logLevel: debug}`, pod("0", "last argument"), "--zap-log-level=debug"},
	} {
		have := release{values: test.values}.render(t)
		if diff := cmp.Diff(test.want, part(t, have, test.at)); diff != "" {
			t.Errorf("%s: %s differs (-want +have):\n%s", test.values, strings.Join(test.at, "."), diff)
		}
	}
}

// part is a part of the Deployment; 0 is its container, and an environment variable and the last argument have names of their own.
func part(t *testing.T, have objects, at []string) any {
	t.Helper()
	i := slices.Index(at, "0")
	if i < 0 {
		return have.at(t, deployment, at...)
	}
	containers, _ := have.at(t, deployment, append(slices.Clone(at[:i]), "containers")...).([]any)
	container, _ := containers[0].(map[string]any)
	switch at[i+1] {
	case "last argument":
		args, _ := container["args"].([]any)
		return args[len(args)-1]
	case "env":
		env, _ := container["env"].([]any)
		for _, variable := range env {
			if variable, _ := variable.(map[string]any); variable["name"] == at[i+2] {
				return variable["value"]
			}
		}
		return nil
	}
	value, _, err := unstructured.NestedFieldNoCopy(container, at[i+1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// Every pod of the chart can be pulled and scheduled like the operator's own.
func TestHooksRunWhereTheOperatorDoes(t *testing.T) {
	all := release{values: `{imagePullSecrets: [{name: pull}], nodeSelector: {a: b}, tolerations: [{operator: Exists}],
		priorityClassName: high, image: {repository: r, tag: v1}}`}.render(t)
	pods := map[string][]string{
		"Job debugsession-system/debugsession-classes":   {"spec", "template", "spec"},
		"Job debugsession-system/debugsession-uninstall": {"spec", "template", "spec"},
		"Pod debugsession-system/debugsession-verify":    {"spec"},
	}
	for key, spec := range pods {
		for _, field := range []string{"imagePullSecrets", "nodeSelector", "tolerations", "priorityClassName", "securityContext"} {
			want := all.at(t, deployment, "spec", "template", "spec", field)
			if diff := cmp.Diff(want, all.at(t, key, append(slices.Clone(spec), field)...)); diff != "" {
				t.Errorf("%s: %s differs from the operator's:\n%s", key, field, diff)
			}
		}
		containers, _ := all.at(t, key, append(slices.Clone(spec), "containers")...).([]any)
		if container, _ := containers[0].(map[string]any); container["image"] != "r:v1" {
			t.Errorf("%s: the image is %v", key, container["image"])
		}
	}
}

// The classes and sinks of config are good values, and come out as they are.
func TestSamplesAsValues(t *testing.T) {
	values := map[string]map[string]any{"classes": {}, "sinks": {}}
	want := objects{}
	samples := append(git(t, "config/samples/*.yaml"), git(t, "config/classes/*.yaml")...)
	for _, path := range samples {
		for key, object := range file(t, filepath.FromSlash(path)) {
			field := map[string]string{"DebugClass": "classes", "DebugSink": "sinks"}[object.GetKind()]
			if field == "" {
				continue
			}
			value := map[string]any{"spec": object.Object["spec"]}
			if annotations := object.GetAnnotations(); len(annotations) > 0 {
				value["annotations"] = annotations
			}
			values[field][object.GetName()] = value
			object.SetLabels(map[string]string{"app.kubernetes.io/part-of": "debugsession"})
			want[key] = object
		}
	}
	if len(values["classes"]) < 3 || len(values["sinks"]) < 5 {
		t.Fatalf("too few are found: %v", values)
	}
	text, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	all := release{values: string(text)}.render(t)
	have := objects{}
	have.add(t, classesConfig, fmt.Sprint(all.at(t, classesConfig, "data", "objects.yaml")))
	for key, object := range have {
		if object.GetAPIVersion() != v1alpha1.GroupVersion.String() {
			t.Errorf("%s is of %s", key, object.GetAPIVersion())
		}
	}
	same(t, have, want)
}

// Classes are applied at an install only if there are some, and always looked at later: one may have been taken away.
func TestClassesHook(t *testing.T) {
	const job = "Job debugsession-system/debugsession-classes"
	for values, want := range map[string]string{
		`{}`: "post-upgrade,post-rollback",
		`{classes: {a: {spec: {modes: [PodCopy], profiles: [general], maxTTL: 1h}}}}`: "post-install,post-upgrade,post-rollback",
	} {
		if have := (release{values: values}).render(t)[job].GetAnnotations()["helm.sh/hook"]; have != want {
			t.Errorf("%s: the hook is %q, want %q", values, have, want)
		}
	}
}

func TestCRDs(t *testing.T) {
	const crd = "CustomResourceDefinition /debugsessions.debugsession.dev"
	for values, want := range map[string]string{`{}`: "keep", `{crds: {keep: false}}`: ""} {
		if have := (release{values: values}).render(t)[crd].GetAnnotations()["helm.sh/resource-policy"]; have != want {
			t.Errorf("%s: the resource policy is %q, want %q", values, have, want)
		}
	}
	if (release{values: `{crds: {enabled: false}}`}).render(t)[crd] != nil {
		t.Error("a CRD is there though none is wanted")
	}
}

func TestSchemaRefuses(t *testing.T) {
	const class = `{modes: [PodCopy], profiles: [general], maxTTL: 1h}`
	for _, test := range []struct{ values, want string }{
		{`{imagee: {}}`, "additional properties 'imagee' not allowed"},
		{`{image: {digest: abc}}`, "/image/digest"},
		{`{image: {tag: "a b"}}`, "/image/tag"},
		{`{replicas: 0}`, "/replicas"},
		{`{extraArgs: [concurrency]}`, "/extraArgs/0"},
		{`{networkPolicy: {enabled: true}}`, "/networkPolicy/apiServerCIDRs"},
		{`{networkPolicy: {enabled: true, apiServerCIDRs: [10.0.0.1]}}`, "/networkPolicy/apiServerCIDRs/0"},
		{`{classes: {A: {spec: ` + class + `}}}`, "at '/classes': additional properties 'A' not allowed"},
		{`{classes: {a: {specs: ` + class + `}}}`, "missing property 'spec'"},
		{`{classes: {a: {spec: {modes: [Pod], profiles: [general], maxTTL: 1h}}}}`, "/classes/a/spec/modes/0"},
		{`{classes: {a: {spec: {modes: [PodCopy], profiles: [general], maxTTL: 1h, ttl: 1h}}}}`, "additional properties 'ttl' not allowed"},
		{`{sinks: {a: {spec: {urlKeys: x}}}}`, "additional properties 'urlKeys' not allowed"},
		{`{logLevel: trace}`, "/logLevel"},
		{`{audit: {store: /var/lib/audit}}`, "/audit/store"},
		{`{audit: {store: "s3://audit", volume: {enabled: true}}}`, "/audit/store"},
	} {
		_, err := release{values: test.values}.try()
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: want a refusal with %q, have %v", test.values, test.want, err)
		}
	}
}

// Every value that the schema knows is in values.yaml, where its comment is.
func TestEveryValueIsDocumented(t *testing.T) {
	chart, err := loader.LoadDir(filepath.Join(root, "charts", "debugsession"))
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := sigsyaml.Unmarshal(chart.Schema, &schema); err != nil {
		t.Fatal(err)
	}
	documented(t, "", schema, common.Values(chart.Values))
}

func documented(t *testing.T, path string, schema, values map[string]any) {
	t.Helper()
	properties, _ := schema["properties"].(map[string]any)
	for name, property := range properties {
		value, ok := values[name]
		switch inner, _ := value.(map[string]any); {
		case name == "global": // Helm's own
		case !ok:
			t.Errorf("values.yaml has no %s%s", path, name)
		case inner != nil:
			documented(t, path+name+".", property.(map[string]any), inner)
		}
	}
}
