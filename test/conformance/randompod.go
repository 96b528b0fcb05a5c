package main

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// podShape is a pod in the making.
type podShape = corev1.Pod

// classes are what made-up pods may name.
func classes() []unstructured.Unstructured {
	return []unstructured.Unstructured{
		{Object: map[string]any{"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": map[string]any{"name": "random"}, "value": int64(7)}},
		{Object: map[string]any{"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": map[string]any{"name": "random"}, "handler": "random",
			"overhead": map[string]any{"podFixed": map[string]any{"cpu": "10m"}}}},
	}
}

// pod makes a pod that the API server admits.
func (d dice) pod() podShape {
	pod := podShape{}
	if d.chance(2) {
		pod.Labels = map[string]string{"app": "web", "pod-template-hash": "7d9f8"}
	}
	if d.chance(2) {
		pod.Annotations = map[string]string{"example.com/owner": "shop"}
		for _, key := range some(d, "kubernetes.io/config.seen", corev1.LastAppliedConfigAnnotation) {
			pod.Annotations[key] = "x"
		}
	}
	if d.chance(12) {
		pod.Spec.OS = &corev1.PodOS{Name: corev1.Windows}
		pod.Spec.Containers = []corev1.Container{{Name: "c0", Image: "iis:1"}}
		return pod
	}
	pod.Spec.Volumes = d.volumes()
	for i := range 1 + d.IntN(3) {
		pod.Spec.Containers = append(pod.Spec.Containers, d.container(fmt.Sprint("c", i), pod.Spec.Volumes, true))
	}
	for i := range d.IntN(3) {
		sidecar := d.chance(2)
		c := d.container(fmt.Sprint("i", i), pod.Spec.Volumes, sidecar)
		if sidecar {
			c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
		}
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, c)
	}
	d.namespaces(&pod.Spec)
	d.placement(&pod.Spec)
	d.rest(&pod.Spec)
	return pod
}

func (d dice) volumes() []corev1.Volume {
	return some(d,
		corev1.Volume{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}}},
		corev1.Volume{Name: "settings", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}}},
		corev1.Volume{Name: "keys", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "keys", DefaultMode: new(int32(0o400))}}},
		corev1.Volume{Name: "host", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/var/log"}}},
		corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}},
	)
}

func (d dice) container(name string, volumes []corev1.Volume, mayProbe bool) corev1.Container {
	c := corev1.Container{Name: name, Image: one(d, "web:1", "web", "web@sha256:"+hash)}
	if d.chance(2) {
		c.Command, c.Args = []string{"run"}, []string{"--all"}
	}
	if d.chance(3) {
		c.Env = []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "NODE", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "spec.nodeName"}}}}
	}
	if d.chance(3) {
		c.Resources = corev1.ResourceRequirements{
			Requests: corev1.ResourceList{"cpu": resource.MustParse("100m")}, Limits: corev1.ResourceList{"cpu": resource.MustParse("1"), "memory": resource.MustParse("1Gi")},
		}
	}
	for _, volume := range some(d, volumes...) {
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: volume.Name, MountPath: "/" + volume.Name, SubPath: one(d, "", "sub")})
	}
	if d.chance(2) {
		c.SecurityContext = d.containerContext()
	}
	if mayProbe {
		d.probes(&c)
	}
	if d.chance(8) {
		c.Stdin, c.TTY = true, true
	}
	return c
}

const hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func (d dice) probes(c *corev1.Container) {
	probe := func() *corev1.Probe {
		if d.chance(2) {
			return nil
		}
		if d.chance(2) {
			return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"ok"}}}}
		}
		return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: intstr.FromInt32(80)}}, PeriodSeconds: 3}
	}
	c.LivenessProbe, c.ReadinessProbe, c.StartupProbe = probe(), probe(), probe()
}

func (d dice) containerContext() *corev1.SecurityContext {
	sc := &corev1.SecurityContext{}
	if d.chance(3) {
		sc.Privileged = new(true)
	} else if d.chance(2) {
		sc.AllowPrivilegeEscalation = new(false)
	}
	if d.chance(2) {
		sc.RunAsUser, sc.RunAsNonRoot = new(int64(1000)), new(true)
	}
	if d.chance(2) {
		sc.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}, Add: some(d, corev1.Capability("SYS_PTRACE"), "NET_ADMIN")}
	}
	return sc
}

// linuxContext is a security context as a case's file would say it: what the author of a debugger sets.
func (d dice) linuxContext() map[string]any {
	context := map[string]any{}
	for _, field := range some(d, "runAsUser", "runAsNonRoot", "readOnlyRootFilesystem", "seccompProfile", "capabilities", "privileged", "allowPrivilegeEscalation") {
		switch field {
		case "runAsUser":
			context[field] = int64(d.IntN(2000))
		case "seccompProfile":
			context[field] = map[string]any{"type": one(d, "Unconfined", "RuntimeDefault")}
		case "capabilities":
			capabilities := map[string]any{}
			for _, list := range some(d, "add", "drop") {
				capabilities[list] = one(d, []any{"CHOWN"}, []any{"SYS_PTRACE"}, []any{"NET_RAW", "NET_ADMIN"}, []any{"CAP_SYS_ADMIN"})
			}
			context[field] = capabilities
		default:
			context[field] = d.chance(2)
		}
	}
	return context
}

// namespaces chooses what the pod shares with the host and among its containers.
func (d dice) namespaces(spec *corev1.PodSpec) {
	switch d.IntN(6) {
	case 0:
		spec.HostPID = true
		spec.HostNetwork = d.chance(2)
		spec.HostIPC = d.chance(2)
	case 1:
		spec.HostUsers = new(false)
	case 2:
		spec.ShareProcessNamespace = new(d.chance(2))
	}
	if d.chance(3) {
		spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: new(int64(1000)), FSGroup: new(int64(2000)), RunAsNonRoot: new(true)}
	}
}

// placement chooses what decides where the pod runs.
func (d dice) placement(spec *corev1.PodSpec) {
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	switch d.IntN(4) {
	case 0, 1:
		spec.NodeName = "node-1"
	case 2:
		spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "example.com/gate"}}
	}
	if d.chance(3) {
		spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: corev1.DoNotSchedule,
			LabelSelector: selector, MatchLabelKeys: some(d, "pod-template-hash")}}
	}
	if d.chance(3) {
		spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
			{TopologyKey: "kubernetes.io/hostname", LabelSelector: selector.DeepCopy(), MatchLabelKeys: some(d, "pod-template-hash")}}}}
	}
	if d.chance(3) {
		spec.NodeSelector = map[string]string{"disk": "ssd"}
		spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	}
	if d.chance(3) {
		spec.PriorityClassName = "random"
	}
	if d.chance(3) {
		spec.RuntimeClassName = new("random")
	}
}

// rest chooses what is left.
func (d dice) rest(spec *corev1.PodSpec) {
	spec.RestartPolicy = one(d, "", corev1.RestartPolicyNever, corev1.RestartPolicyOnFailure)
	if d.chance(4) {
		spec.ActiveDeadlineSeconds = new(one(d, int64(60), 100_000))
	}
	if d.chance(4) {
		spec.Hostname, spec.Subdomain = "web-0", "web"
	}
	if d.chance(4) {
		spec.AutomountServiceAccountToken = new(false)
	}
	if d.chance(4) {
		spec.TerminationGracePeriodSeconds = new(int64(5))
	}
	if d.chance(4) {
		spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "example.com/ready"}}
	}
	if d.chance(4) {
		spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "registry"}}
	}
}
