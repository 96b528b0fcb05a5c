package diagnosis_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/internal/diagnosis"
	"debugsession.dev/operator/internal/fixture"
)

func TestStartupHint(t *testing.T) {
	begun := func(p *corev1.Pod) { p.Status.StartTime = &metav1.Time{Time: fixture.Created} }
	claiming := func(p *corev1.Pod) {
		claim := &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "db-0"}
		p.Spec.Volumes = []corev1.Volume{{Name: "db", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: claim}}}
	}
	initializing := func(state corev1.ContainerState, always bool) fixture.PodOption {
		return func(p *corev1.Pod) {
			init := corev1.Container{Name: "migrate"}
			if always {
				init.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
			}
			p.Spec.InitContainers = []corev1.Container{init}
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "migrate", State: state}}
		}
	}
	ephemeral, copied := &fixture.Session().Spec, &fixture.Session(fixture.AsCopy()).Spec
	noInit := func(p *corev1.Pod) { p.Spec.InitContainers = nil }
	idle := fixture.Pod(noInit)
	idle.Status.StartTime = nil
	for says, got := range map[string]string{
		`its kubelet has not picked it up; check that node "node-1" is ready`: diagnosis.StartupHint(copied, idle),
		`init container "migrate" has been running since 2`: diagnosis.StartupHint(copied,
			fixture.Pod(begun, initializing(fixture.Running(fixture.Created), false))),
		`its startup probe has not succeeded`: diagnosis.StartupHint(copied,
			fixture.Pod(begun, initializing(fixture.Running(fixture.Created), true))),
		`"migrate" ended with exit code 1`: diagnosis.StartupHint(copied,
			fixture.Pod(begun, initializing(fixture.Exited(fixture.Created, 1, "Error", ""), false))),
		`"migrate" has not started: ErrImagePull: nope`: diagnosis.StartupHint(copied,
			fixture.Pod(begun, initializing(fixture.Waiting("ErrImagePull", "nope"), false))),
		"it may be waiting for the volumes of db-0": diagnosis.StartupHint(copied, fixture.Pod(begun, noInit, claiming)),
		": see kubectl describe pod web":            diagnosis.StartupHint(ephemeral, fixture.Pod(begun, noInit, claiming)),
	} {
		if !strings.Contains(got, says) {
			t.Errorf("%q, want %q in it", got, says)
		}
	}
}
