package debugpod

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

const jobIndex = "batch.kubernetes.io/job-completion-index"

// indexed is the pod of an Indexed Job: its index is a label, or an annotation, and comes as a variable.
func indexed(path string) *corev1.Pod {
	pod := &corev1.Pod{}
	pod.Name = "indexed-1"
	pod.Labels = map[string]string{jobIndex: "1", "app": "web"}
	pod.Annotations = map[string]string{jobIndex: "$1", "who": "us"}
	from := func(name, path string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}}
	}
	container := corev1.Container{Name: "app", Env: []corev1.EnvVar{
		from("INDEX", path), from("GONE", "metadata.labels['gone']"), from("POD_NAME", "metadata.name"), from("NODE", "spec.nodeName"),
	}}
	pod.Spec = corev1.PodSpec{Hostname: "indexed-1", Subdomain: "web", Containers: []corev1.Container{container},
		InitContainers: []corev1.Container{container}}
	pod.Spec.InitContainers[0].Name = "setup"
	return pod
}

func variable(t *testing.T, pod *corev1.Pod, container, name string) corev1.EnvVar {
	t.Helper()
	env := containerNamed(t, pod, container).Env
	at := slices.IndexFunc(env, func(v corev1.EnvVar) bool { return v.Name == name })
	if at < 0 {
		t.Fatalf("container %s has no variable %s", container, name)
	}
	return env[at]
}

func TestVariablesKeepWhatTheTargetsMetadataSays(t *testing.T) {
	for _, test := range []struct {
		name, path, value string
		keep              []v1alpha1.Keep
	}{
		{"a label", "metadata.labels['" + jobIndex + "']", "1", nil},
		{"an annotation, whose dollar sign is one", "metadata.annotations['" + jobIndex + "']", "$$1", nil},
		{"a label that is kept", "metadata.labels['" + jobIndex + "']", "", []v1alpha1.Keep{v1alpha1.KeepLabels}},
		{"an annotation that is kept", "metadata.annotations['" + jobIndex + "']", "", []v1alpha1.Keep{v1alpha1.KeepAnnotations}},
	} {
		t.Run(test.name, func(t *testing.T) {
			target := indexed(test.path)
			copied, err := Copy(admitted(v1alpha1.ModePodCopy, keep(append(test.keep, v1alpha1.KeepInitContainers)...)), target, now)
			if err != nil {
				t.Fatal(err)
			}
			for _, container := range []string{"app", "setup"} {
				if got := variable(t, copied, container, "INDEX"); got.Value != test.value || (got.ValueFrom == nil) != (test.value != "") {
					t.Errorf("container %s has %+v, want %q", container, got, test.value)
				}
				for _, other := range []string{"GONE", "POD_NAME", "NODE"} {
					if variable(t, copied, container, other).ValueFrom == nil {
						t.Errorf("variable %s of container %s was written down", other, container)
					}
				}
			}
			if copied.Spec.Hostname != "indexed-1" {
				t.Errorf("hostname %q", copied.Spec.Hostname)
			}
			if claims := copied.Spec.Subdomain != ""; claims == slices.Contains(test.keep, v1alpha1.KeepLabels) {
				t.Errorf("subdomain %q", copied.Spec.Subdomain)
			}
		})
	}
}

func TestCopyWarnings(t *testing.T) {
	field := func(path string) *corev1.ObjectFieldSelector { return &corev1.ObjectFieldSelector{FieldPath: path} }
	target := indexed("metadata.labels['" + jobIndex + "']")
	target.Spec.Volumes = []corev1.Volume{
		{Name: "info", VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: []corev1.DownwardAPIVolumeFile{
			{Path: "labels", FieldRef: field("metadata.labels")}, {Path: "who", FieldRef: field("metadata.annotations['who']")},
			{Path: "space", FieldRef: field("metadata.namespace")},
		}}}},
		{Name: "more", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{DownwardAPI: &corev1.DownwardAPIProjection{
				Items: []corev1.DownwardAPIVolumeFile{{Path: "uid", FieldRef: field("metadata.uid")}},
			}},
		}}}},
	}
	session := admitted(v1alpha1.ModePodCopy, keep())
	session.Spec.PodCopy.KeepLabels = []string{"app"}
	copied, err := Copy(session, target, now)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(CopyWarnings(target, copied), "\n")
	want := `variable POD_NAME of container "setup" has the copy's name, ` + copied.Name + `, not the target's, indexed-1
variable POD_NAME of container "app" has the copy's name, ` + copied.Name + `, not the target's, indexed-1
file labels of volume "info" has the copy's labels: for the target's, use keep: [Labels] or keepLabels
file who of volume "info" has no value, but in the target that of metadata.annotations['who']
file uid of volume "more" has the copy's UID, not the target's
the copy is not in subdomain "web": with the target's labels it would take over the target's DNS name`
	if got != want {
		t.Errorf("warnings:\n%s\nwant:\n%s", got, want)
	}
	many := Warnings(slices.Repeat([]string{strings.Repeat("ä", 400)}, 20))
	if len(many) != mostWarnings || len(many[0]) > longestWarning || many[15] != "and 5 more" {
		t.Errorf("%d warnings, the first of %d bytes, the last %q", len(many), len(many[0]), many[15])
	}
}

func TestKeptLabels(t *testing.T) {
	session := admitted(v1alpha1.ModePodCopy)
	session.Spec.PodCopy.KeepLabels = []string{"app"}
	copied, err := Copy(session, indexed("metadata.name"), now)
	if err != nil {
		t.Fatal(err)
	}
	if len(copied.Labels) != 2 || copied.Labels["app"] != "web" {
		t.Errorf("labels %v", copied.Labels)
	}
	session.Spec.PodCopy.KeepLabels = []string{"app", "ap"}
	_, err = Copy(session, indexed("metadata.name"), now)
	wantInvalid(t, err, "spec.podCopy.keepLabels[1]")
}

func TestOmittedContainers(t *testing.T) {
	omitting := func(names ...string) *v1alpha1.DebugSession {
		return admitted(v1alpha1.ModePodCopy, keep(v1alpha1.KeepInitContainers), func(s *v1alpha1.DebugSession) {
			s.Spec.PodCopy.OmitContainers = names
		})
	}
	copied, err := Copy(omitting("proxy", "migrate"), readTarget(t, "web-0"), now)
	if err != nil {
		t.Fatal(err)
	}
	names := ContainerNames(copied)
	if slices.Contains(names, "proxy") || slices.Contains(names, "migrate") || !slices.Contains(names, "app") {
		t.Errorf("containers %v", names)
	}
	if len(copied.Spec.Volumes) != len(readTarget(t, "web-0").Spec.Volumes) {
		t.Error("a volume is gone")
	}
	about := func(name string) func(*v1alpha1.DebugSession) {
		return func(s *v1alpha1.DebugSession) {
			s.Spec.Debugger, s.Status.Debugger.ContainerName = v1alpha1.Debugger{}, name
			s.Spec.PodCopy.Containers = []v1alpha1.ContainerChange{{Name: "*", Image: "web:debug"}}
		}
	}
	for field, session := range map[string]*v1alpha1.DebugSession{
		"spec.podCopy.omitContainers[1]": omitting("proxy", "gone"),
		"spec.podCopy.omitContainers[0]": omitting("app"),
	} {
		if field == "spec.podCopy.omitContainers[0]" {
			about("app")(session)
		}
		_, err := Copy(session, readTarget(t, "web-0"), now)
		wantInvalid(t, err, field)
	}
}
