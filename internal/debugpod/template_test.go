package debugpod

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
)

func readWorkload(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	workload := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(manifest), &workload.Object); err != nil {
		t.Fatal(err)
	}
	workload.SetName("web")
	workload.SetNamespace("shop")
	workload.SetUID("1")
	return workload
}

const podTemplate = `template: {metadata: {labels: {app: web}}, spec: {containers: [{name: app, image: "web:1"}]}}`

func TestTemplateOf(t *testing.T) {
	const plain = `{metadata: {name: web, namespace: shop, uid: "1", labels: {app: web}}, spec: {containers: [{name: app, image: "web:1"}]}}`
	const indexed = `{metadata: {name: web, namespace: shop, uid: "1",
  labels: {app: web, batch.kubernetes.io/job-completion-index: "0"}, annotations: {batch.kubernetes.io/job-completion-index: "0"}},
  spec: {hostname: web-0, containers: [{name: app, image: "web:1", env: [{name: JOB_COMPLETION_INDEX, value: "0"}]}]}}`
	for name, test := range map[string]struct {
		workload string
		idle     bool
		pod      string
	}{
		"a Deployment at zero": {`{apiVersion: apps/v1, kind: Deployment, spec: {replicas: 0, ` + podTemplate + `}}`, true, plain},
		"a Deployment of two":  {`{apiVersion: apps/v1, kind: Deployment, spec: {replicas: 2, ` + podTemplate + `}}`, false, plain},
		"a ReplicaSet at zero": {`{apiVersion: apps/v1, kind: ReplicaSet, spec: {replicas: 0, ` + podTemplate + `}}`, true, plain},
		"a kind of a user's":   {`{apiVersion: example.com/v1, kind: Rollout, spec: {replicas: 0, ` + podTemplate + `}}`, true, plain},
		"one without replicas": {`{apiVersion: example.com/v1, kind: Rollout, spec: {` + podTemplate + `}}`, false, plain},
		"a kind without pods":  {`{apiVersion: v1, kind: Service, spec: {selector: {app: web}}}`, false, ``},
		"a DaemonSet of no node": {`{apiVersion: apps/v1, kind: DaemonSet, metadata: {generation: 2}, spec: {` + podTemplate +
			`}, status: {observedGeneration: 2, desiredNumberScheduled: 0}}`, true, plain},
		"a DaemonSet that nobody has looked at": {`{apiVersion: apps/v1, kind: DaemonSet, metadata: {generation: 2}, spec: {` + podTemplate +
			`}, status: {observedGeneration: 1, desiredNumberScheduled: 0}}`, false, plain},
		"a StatefulSet at zero": {`{apiVersion: apps/v1, kind: StatefulSet, spec: {replicas: 0, serviceName: db, ordinals: {start: 3},
  volumeClaimTemplates: [{metadata: {name: data}}],
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: app, image: "web:1"}], volumes: [{name: data, emptyDir: {}}, {name: tmp, emptyDir: {}}]}}}}`,
			true, `{metadata: {name: web, namespace: shop, uid: "1",
  labels: {app: web, statefulset.kubernetes.io/pod-name: web-3, apps.kubernetes.io/pod-index: "3"}},
  spec: {hostname: web-3, subdomain: db, containers: [{name: app, image: "web:1"}],
    volumes: [{name: tmp, emptyDir: {}}, {name: data, persistentVolumeClaim: {claimName: data-web-3}}]}}`},
		"a Job that runs": {`{apiVersion: batch/v1, kind: Job, spec: {parallelism: 1, ` + podTemplate + `}}`, false, plain},
		"a Job that has failed": {`{apiVersion: batch/v1, kind: Job, spec: {` + podTemplate +
			`}, status: {conditions: [{type: Failed, status: "True"}]}}`, true, plain},
		"a Job that has not failed": {`{apiVersion: batch/v1, kind: Job, spec: {` + podTemplate +
			`}, status: {conditions: [{type: Failed, status: "False"}, {type: Suspended, status: "True"}]}}`, false, plain},
		"a Job that is suspended": {`{apiVersion: batch/v1, kind: Job, spec: {suspend: true, ` + podTemplate + `}}`, true, plain},
		"an Indexed Job":          {`{apiVersion: batch/v1, kind: Job, spec: {parallelism: 0, completionMode: Indexed, ` + podTemplate + `}}`, true, indexed},
		"a CronJob":               {`{apiVersion: batch/v1, kind: CronJob, spec: {jobTemplate: {spec: {` + podTemplate + `}}}}`, true, plain},
		"a CronJob of Indexed Jobs": {`{apiVersion: batch/v1, kind: CronJob, spec: {jobTemplate: {spec: {completionMode: Indexed, ` + podTemplate + `}}}}`,
			true, indexed},
	} {
		t.Run(name, func(t *testing.T) {
			workload := readWorkload(t, test.workload)
			before := workload.DeepCopy()
			template, err := TemplateOf(workload)
			if err != nil {
				t.Fatal(err)
			}
			var pod *corev1.Pod
			if err := yaml.UnmarshalStrict([]byte(test.pod), &pod); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&Template{Pod: pod, Idle: test.idle}, template); diff != "" {
				t.Errorf("(- wanted, + read)\n%s", diff)
			}
			if diff := cmp.Diff(before, workload); diff != "" {
				t.Errorf("the workload has changed:\n%s", diff)
			}
		})
	}
	t.Run("one that is none", func(t *testing.T) {
		if _, err := TemplateOf(readWorkload(t, `{apiVersion: apps/v1, kind: Deployment, spec: {replicas: none}}`)); err == nil {
			t.Error("it was read")
		}
	})
}

// A copy of a template keeps what the controller would have told the pod.
func TestCopyOfATemplate(t *testing.T) {
	template, err := TemplateOf(readWorkload(t, `{apiVersion: batch/v1, kind: Job, spec: {suspend: true, completionMode: Indexed, `+podTemplate+`}}`))
	if err != nil {
		t.Fatal(err)
	}
	copied, err := Copy(admitted(v1alpha1.ModePodCopy), template.Pod, now)
	if err != nil {
		t.Fatal(err)
	}
	want := []corev1.EnvVar{{Name: "JOB_COMPLETION_INDEX", Value: "0"}}
	if diff := cmp.Diff(want, copied.Spec.Containers[0].Env); diff != "" {
		t.Errorf("variables (- wanted, + built):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{v1alpha1.LabelSessionUID: string(uidA)}, copied.Labels); diff != "" {
		t.Errorf("labels (- wanted, + built):\n%s", diff)
	}
}
