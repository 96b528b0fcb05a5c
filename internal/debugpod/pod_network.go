package debugpod

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
)

// How the operator's binary is told to bring a debugger into a pod's network: internal/podnetwork.
const (
	NetworkInstall = "network-install"
	NetworkEnter   = "network-enter"

	// NetworkFolder is where the debugger's container has the operator's program. It is a volume that has nothing of the image.
	NetworkFolder = "/debugsession"

	// NetworkProgram is that program's name there, and NodeProcesses the folder where the node's /proc is until the pod is found. That is a mount in a
	// mount: no link of the image leads a path of ours through the node's processes, by which it would lead to other containers' files.
	NetworkProgram = "manager"
	NodeProcesses  = "node-processes"
)

const (
	networkPodPrefix  = "network-debugger-"
	networkInstaller  = "install"
	programsVolume    = "programs"
	processesVolume   = "node-processes"
	operatorProgram   = "/manager"
	maxProgramsVolume = "512Mi"
)

// networkCapabilities are what a debugger in a pod's network keeps, by its profile.
var networkCapabilities = map[v1alpha1.Profile][]corev1.Capability{
	v1alpha1.ProfileBaseline: {"NET_RAW"},
	v1alpha1.ProfileNetadmin: {"NET_ADMIN", "NET_RAW"},
}

// FitsPodNetwork reports whether a profile says what a debugger in a pod's network may do there.
func FitsPodNetwork(profile v1alpha1.Profile) bool { return len(networkCapabilities[profile]) > 0 }

// NetworkPodName returns the name of the pod by which a session is in a pod's network: "network-debugger-", that pod's name, "-" and five
// characters that depend on the session's UID alone. The pod's name is shortened as a target's is by CopyName.
func NetworkPodName(target string, session types.UID) string {
	return shortened(networkPodPrefix+target, "-"+suffix(session, 5))
}

// PodNetwork builds the pod by which an admitted session is in the network of its target. Its container begins with what it takes to find and
// enter that, runs the operator's program alone, and has given all of it up but what its profile keeps before the debugger's command
// runs: see internal/podnetwork. Of the target it reads the UID, the addresses and the node.
//
// It returns an *InvalidError if the session can never be built, and a *ForbiddenError if its class does not allow it.
func PodNetwork(session *v1alpha1.DebugSession, target *corev1.Pod, now time.Time) (*corev1.Pod, error) {
	if err := checkAdmitted(session); err != nil {
		return nil, err
	}
	image := session.Status.Debugger.OperatorImage
	if image == "" {
		return nil, &InvalidError{Field: "spec.target.podNamespace", Message: "a pod's network is entered with the operator's image, " +
			"and the operator does not know its own image, for example because it runs outside the cluster: start it with --image"}
	}
	pod := ownPod(session)
	pod.Spec.NodeName = target.Spec.NodeName
	pod.Spec.AutomountServiceAccountToken = new(false)
	pod.Spec.Volumes = []corev1.Volume{
		{Name: programsVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: new(resource.MustParse(maxProgramsVolume))}}},
		{Name: processesVolume, VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/proc", Type: new(corev1.HostPathDirectory)}}},
	}
	debugger, err := networkDebugger(session, target)
	if err != nil {
		return nil, err
	}
	pod.Spec.InitContainers = []corev1.Container{networkInstallerOf(image)}
	pod.Spec.Containers = []corev1.Container{*debugger}
	addPullSecrets(&pod.Spec, session)
	if err := boundResources(&pod.Spec, session); err != nil {
		return nil, err
	}
	setEnd(&pod.Spec, session.Status.HardDeadline.Sub(now))
	return pod, nil
}

// networkInstallerOf brings the operator's program into the pod, with no privileges.
func networkInstallerOf(image string) corev1.Container {
	return corev1.Container{
		Name: networkInstaller, Image: image, ImagePullPolicy: corev1.PullIfNotPresent,
		Command:      []string{operatorProgram, NetworkInstall, NetworkFolder},
		VolumeMounts: []corev1.VolumeMount{{Name: programsVolume, MountPath: NetworkFolder}},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true), RunAsNonRoot: new(true),
			Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
	}
}

// networkDebugger is the debugger's container. That its process is root, with the capabilities that finding and entering take, ends when its
// command begins.
func networkDebugger(session *v1alpha1.DebugSession, target *corev1.Pod) (*corev1.Container, error) {
	wanted := &session.Spec.Debugger
	kept := networkCapabilities[session.Spec.Profile]
	switch {
	case len(kept) == 0:
		return nil, &InvalidError{Field: "spec.profile", Message: fmt.Sprintf("profile %s is not for a pod's network: use baseline to capture there, or netadmin to change it as well", session.Spec.Profile)}
	case len(wanted.VolumeMounts) > 0 || wanted.SecurityContext != nil || wanted.WorkingDir != "":
		return nil, &InvalidError{Field: "spec.debugger", Message: "a debugger in a pod's network has no volumes, begins in /, and has the privileges that its profile keeps: remove volumeMounts, workingDir and securityContext"}
	case len(wanted.Artifacts) > 0:
		return nil, &InvalidError{Field: artifactsField, Message: "nothing is executed in a debugger in a pod's network, and so no file of it is read: remove it"}
	case len(wanted.Command) == 0 && len(wanted.Args) > 0:
		return nil, &InvalidError{Field: "spec.debugger.args", Message: "a debugger in a pod's network does not run its image's entrypoint: set command as well"}
	}
	command := wanted.Command
	if len(command) == 0 {
		command = []string{"sh"}
	}
	container, err := debuggerContainer(session, target)
	if err != nil {
		return nil, err
	}
	container.Command, container.Args = append(enterCommand(target, kept), command...), wanted.Args
	container.WorkingDir = "/" // and not the image's: a path through the node's processes would be one out of the container
	container.VolumeMounts = []corev1.VolumeMount{
		{Name: programsVolume, MountPath: NetworkFolder, ReadOnly: true},
		{Name: processesVolume, MountPath: NetworkFolder + "/" + NodeProcesses, ReadOnly: true},
	}
	container.SecurityContext = &corev1.SecurityContext{
		RunAsUser: new(int64(0)), RunAsNonRoot: new(false),
		// SYS_PTRACE to look at the node's processes, SYS_ADMIN to enter and to unmount, SETPCAP to give up for good.
		Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}, Add: append([]corev1.Capability{"SETPCAP", "SYS_ADMIN", "SYS_PTRACE"}, kept...)},
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	return container, nil
}

func enterCommand(target *corev1.Pod, kept []corev1.Capability) []string {
	command := []string{NetworkFolder + "/" + NetworkProgram, NetworkEnter, "--pod-uid=" + string(target.UID)}
	for _, ip := range target.Status.PodIPs {
		command = append(command, "--address="+ip.IP)
	}
	for _, capability := range kept {
		command = append(command, "--keep="+string(capability))
	}
	return slices.Clip(append(command, "--"))
}
