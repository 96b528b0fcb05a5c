package preview

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"debugsession.dev/operator/api/v1alpha1"
)

func request(mode v1alpha1.Mode, preview string) *v1alpha1.DebugSession {
	return &v1alpha1.DebugSession{
		Spec: v1alpha1.DebugSessionSpec{Mode: mode},
		Status: v1alpha1.DebugSessionStatus{
			Target:  &v1alpha1.TargetStatus{PodName: "web", NodeName: "worker"},
			Request: &v1alpha1.RequestStatus{Preview: &runtime.RawExtension{Raw: []byte(preview)}},
		},
	}
}

func TestDiff(t *testing.T) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web", UID: "1", Labels: map[string]string{"app": "web"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "app", Image: "web:1", Env: []corev1.EnvVar{{Name: "PASSWORD", Value: "secret"}, {Name: "LEVEL", Value: "secret too"}},
		}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
	ephemeral := `{"name":"debugger","image":"busybox","targetContainerName":"app"}`
	changing := request(v1alpha1.ModePodCopy,
		`{"spec":{"containers":[{"name":"app","image":"web:debug","env":[{"name":"PASSWORD","value":"(hidden)"},{"name":"LEVEL",`+
			`"value":"debug"}]}]}}`)
	changing.Spec.PodCopy = &v1alpha1.PodCopy{
		Containers: []v1alpha1.ContainerChange{{Name: "app", Env: []corev1.EnvVar{{Name: "LEVEL", Value: "debug"}}}},
	}
	for name, test := range map[string]struct {
		session *v1alpha1.DebugSession
		pod     *corev1.Pod
		want    []string
		not     []string
	}{
		"beside the application": {
			request(v1alpha1.ModeEphemeralContainer, ephemeral), pod,
			[]string{"--- pod web", "+++ with a debugger", "\n+  ephemeralContainers:\n", "\n+  - image: busybox\n",
				"\n+    targetContainerName: app\n"},
			[]string{"\n-", "uid", "Running"},
		},
		"a pod that cannot be read": {
			request(v1alpha1.ModeEphemeralContainer, ephemeral), nil,
			[]string{"--- nothing (the pod cannot be read)", "\n+  - image: busybox\n"}, nil,
		},
		"a copy": {
			request(v1alpha1.ModePodCopy, `{"metadata":{"name":"web-debug"},"spec":{"containers":[{"name":"app","image":"web:debug"}]}}`),
			pod,
			[]string{"+++ its copy", "\n-  labels:\n", "\n-    image: web:1\n", "\n+  - image: web:debug\n"}, []string{"uid"},
		},
		"a copy whose values are hidden": {
			changing, pod, []string{"\n-    image: web:1\n", "\n+    image: web:debug\n", "\n+      value: debug\n",
				"\n       value: (hidden)\n"}, []string{"secret"},
		},
		"a node": {
			request(v1alpha1.ModeNode, `{"metadata":{"name":"node-debug"},"spec":{"hostPID":true,"containers":null}}`), nil,
			[]string{"--- nothing", "+++ a pod on node worker", "\n+  hostPID: true\n"}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Diff(test.session, test.pod)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not in\n%s", want, got)
				}
			}
			for _, not := range test.not {
				if strings.Contains(strings.TrimPrefix(got, "---"), not) {
					t.Errorf("%q is in\n%s", not, got)
				}
			}
		})
	}
}

func TestNothingToShow(t *testing.T) {
	if _, err := Diff(&v1alpha1.DebugSession{}, nil); err == nil {
		t.Error("shown nothing, nobody can approve it")
	}
	if _, err := Diff(request(v1alpha1.ModePodCopy, "{"), nil); err == nil {
		t.Error("a preview that cannot be read was shown")
	}
}
