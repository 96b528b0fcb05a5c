package v1alpha1

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// DebugSession is one debugging session: a debugger brought to a running pod, for a limited time, on the record.
//
// Apply one, wait until it is Active, run the command in status.attach. At the end of its ttl it ends, and stays as the
// record of what was done. It never starts again: for another session, apply another object.
//
//	apiVersion: debugsession.dev/v1alpha1
//	kind: DebugSession
//	metadata: {name: checkout-hang, namespace: shop}
//	spec:
//	  reason: "INC-1234: requests hang after the 14:00 deploy"
//	  target: {podName: checkout-7d9f8-x2k4q}
//	  debugger: {image: "busybox:1.36", command: [sh], stdin: true, tty: true}
//	  ttl: 30m
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=dbg,categories=debug
// +kubebuilder:selectablefield:JSONPath=`.status.phase`
// +kubebuilder:selectablefield:JSONPath=`.spec.className`
// +kubebuilder:selectablefield:JSONPath=`.spec.requester.username`
// +kubebuilder:printcolumn:name="Target",type=string,JSONPath=`.status.target.name`,description="The pod or node being debugged"
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`,description="How the debugger is brought in"
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`,description="Where the session stands"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.reason`,description="Why it stands there"
// +kubebuilder:printcolumn:name="Waiting-For",type=string,JSONPath=`.status.waitingFor`,description="Whom it waits for"
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.status.expiresAt`,description="When it ends by itself"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Requester",type=string,priority=1,JSONPath=`.spec.requester.username`,description="Who asked for it"
// +kubebuilder:printcolumn:name="Approved-By",type=string,priority=1,JSONPath=`.status.approvedBy`,description="Who approved it"
// +kubebuilder:printcolumn:name="Review",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Reviewed")].reason`,description="Where the review of an emergency stands"
// +kubebuilder:printcolumn:name="Class",type=string,priority=1,JSONPath=`.spec.className`
// +kubebuilder:printcolumn:name="Outcome",type=string,priority=1,JSONPath=`.status.outcome`,description="How it ended"
// +kubebuilder:printcolumn:name="Debugger-Pod",type=string,priority=1,JSONPath=`.status.debugger.podName`,description="The pod the debugger runs in"
// +kubebuilder:printcolumn:name="Debugger-Container",type=string,priority=1,JSONPath=`.status.debugger.containerName`,description="The debugger's container"
type DebugSession struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the object's name, namespace, labels and so on.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what is asked for. Only ttl and end may be changed once the session exists, and emergency set before it starts: everything
	// else was decided upon as it was written.
	// +required
	Spec DebugSessionSpec `json:"spec"`

	// status is what was done, written by the operator alone. Until the operator has looked at the session, observedGeneration is -1, by
	// which tools that read kstatus know that it is not done.
	// +optional
	// +default={"observedGeneration": -1}
	Status DebugSessionStatus `json:"status,omitzero"`
}

// DebugSessionList is a list of DebugSessions.
// +kubebuilder:object:root=true
type DebugSessionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []DebugSession `json:"items"`
}

// DebugSessionSpec is what is asked for.
//
// +kubebuilder:validation:XValidation:rule="(self.mode == 'Node') == (has(self.target.nodeName) || has(self.target.podNamespace))",message="mode Node requires target.nodeName, or target.podName and target.podNamespace, and no other mode allows nodeName or podNamespace",fieldPath=".target"
// +kubebuilder:validation:XValidation:rule="!has(self.target.podNamespace) || (!has(self.debugger.volumeMounts) && !has(self.debugger.securityContext) && !has(self.debugger.workingDir))",message="a debugger in a pod's network has no volumes, begins in /, and has the privileges that its profile keeps: remove volumeMounts, workingDir and securityContext",fieldPath=".debugger"
// +kubebuilder:validation:XValidation:rule="self.mode == 'PodCopy' || (!has(self.target.volumeClaim) && !has(self.target.image))",message="volumeClaim and image are only for mode PodCopy, which makes a pod for them: set mode: PodCopy",fieldPath=".target"
// +kubebuilder:validation:XValidation:rule="!(has(self.target.volumeClaim) || has(self.target.image)) || !has(self.podCopy) || (!has(self.podCopy.replaceOriginal) && !(has(self.podCopy.sameNode) && self.podCopy.sameNode))",message="a volume claim or an image is no pod that could be replaced, or whose node it could be: remove replaceOriginal and sameNode",fieldPath=".podCopy"
// +kubebuilder:validation:XValidation:rule="!has(self.target.volumeClaim) || !has(self.podCopy) || (!has(self.podCopy.containers) && !has(self.podCopy.quiesce) && !has(self.podCopy.omitContainers))",message="a volume claim has no containers: remove containers, quiesce and omitContainers",fieldPath=".podCopy"
// +kubebuilder:validation:XValidation:rule="!has(self.target.volumeClaim) || (!has(self.debugger.container) && !has(self.debugger.mountsFrom) && !has(self.debugger.runAs) && !(has(self.debugger.envFromTarget) && self.debugger.envFromTarget))",message="a volume claim has no container: remove container, mountsFrom, runAs and envFromTarget",fieldPath=".debugger"
// +kubebuilder:validation:XValidation:rule="!has(self.target.volumeClaim) || !has(self.debugger.volumeMounts)",message="the claim is mounted as target.volumeClaim says, and there is no other volume: remove volumeMounts",fieldPath=".debugger.volumeMounts"
// +kubebuilder:validation:XValidation:rule="self.mode == 'PodCopy' || !has(self.podCopy)",message="podCopy is only for mode PodCopy: remove it, or set mode: PodCopy",fieldPath=".podCopy"
// +kubebuilder:validation:XValidation:rule="!has(self.debugger.container) || !has(self.podCopy) || !has(self.podCopy.quiesce) || !self.podCopy.quiesce.exists(q, q.name == self.debugger.container)",message="the debugger cannot sleep: remove its entry in quiesce, or name another debugger.container",fieldPath=".podCopy.quiesce"
// +kubebuilder:validation:XValidation:rule="!has(self.podCopy) || !has(self.podCopy.omitContainers) || !(has(self.debugger.container) && self.debugger.container in self.podCopy.omitContainers) && !(has(self.target.container) && self.target.container in self.podCopy.omitContainers)",message="debugger.container and target.container cannot be left out: remove its name here, or name another there",fieldPath=".podCopy.omitContainers"
// +kubebuilder:validation:XValidation:rule="self.mode == 'PodCopy' || !has(self.debugger.container)",message="container is only for mode PodCopy: an ephemeral container is always a new one; remove it, or set mode: PodCopy",fieldPath=".debugger.container"
// +kubebuilder:validation:XValidation:rule="self.mode != 'Node' || !has(self.debugger.mountsFrom)",message="mountsFrom is not for mode Node: a node has no containers; remove it",fieldPath=".debugger.mountsFrom"
// +kubebuilder:validation:XValidation:rule="self.mode != 'Node' || !has(self.debugger.runAs)",message="runAs is not for mode Node: a node has no user to take; set securityContext.runAsUser instead",fieldPath=".debugger.runAs"
// +kubebuilder:validation:XValidation:rule="self.mode != 'Node' || !has(self.debugger.envFromTarget) || !self.debugger.envFromTarget",message="envFromTarget is not for mode Node: a node has no container whose environment it could be; remove it",fieldPath=".debugger.envFromTarget"
// +kubebuilder:validation:XValidation:rule="self.mode == 'EphemeralContainer' || !has(self.debugger.unstoppable) || !self.debugger.unstoppable",message="unstoppable is only for mode EphemeralContainer: every other pod is deleted in time, whatever its image; remove it",fieldPath=".debugger.unstoppable"
// +kubebuilder:validation:XValidation:rule="self.mode != 'EphemeralContainer' || !has(self.debugger.resources)",message="resources is not for mode EphemeralContainer: Kubernetes allows none on an ephemeral container; remove it, or set mode: PodCopy",fieldPath=".debugger.resources"
// +kubebuilder:validation:XValidation:rule="self.mode != 'EphemeralContainer' || !has(self.debugger.volumeMounts) || self.debugger.volumeMounts.all(m, !has(m.subPath) && !has(m.subPathExpr))",message="subPath and subPathExpr are not for mode EphemeralContainer: Kubernetes allows none on an ephemeral container; mount the whole volume, or set mode: PodCopy",fieldPath=".debugger.volumeMounts"
// +kubebuilder:validation:XValidation:rule="self.mode != 'EphemeralContainer' || !has(self.imagePullSecrets) || self.imagePullSecrets.size() == 0",message="imagePullSecrets is not for mode EphemeralContainer: such a container is pulled with the imagePullSecrets of its pod, which cannot be changed; add the Secret to the workload's pod template or service account and debug a new pod, or set mode: PodCopy",fieldPath=".imagePullSecrets"
// +kubebuilder:validation:XValidation:rule="!has(self.idleTimeout) || self.mode == 'EphemeralContainer'",message="idleTimeout is only for mode EphemeralContainer: other modes cannot detect use; remove it",fieldPath=".idleTimeout"
// +kubebuilder:validation:XValidation:rule="!has(self.idleTimeout) || self.mode != 'EphemeralContainer' || (has(self.debugger.tty) && self.debugger.tty)",message="idleTimeout needs a terminal to detect use: set debugger.tty and debugger.stdin to true, or remove it",fieldPath=".idleTimeout"
// +kubebuilder:validation:XValidation:rule="!has(self.debugger.artifacts) || !has(self.target.podNamespace)",message="artifacts are not for a debugger in a pod's network: nothing is executed in it, and so no file of it is read; remove them, and print what is to be kept",fieldPath=".debugger.artifacts"
// +kubebuilder:validation:XValidation:rule="!has(self.debugger.artifacts) || ((!has(self.debugger.stdin) || !self.debugger.stdin) && (!has(self.debugger.tty) || !self.debugger.tty))",message="artifacts are those of a command that ends by itself: remove stdin and tty, or artifacts; kubectl dbg cp copies files out of a debugger that runs",fieldPath=".debugger.artifacts"
// +kubebuilder:validation:XValidation:rule="!has(self.debugger.artifacts) || (has(self.debugger.command) && size(self.debugger.command) > 0)",message="artifacts are those of a command: set debugger.command",fieldPath=".debugger.artifacts"
// +kubebuilder:validation:XValidation:rule="!has(self.debugger.artifacts) || !has(self.debugger.unstoppable) || !self.debugger.unstoppable",message="artifacts cannot be combined with unstoppable: nothing would keep such a debugger until its files are read; remove one of them",fieldPath=".debugger.artifacts"
// +kubebuilder:validation:XValidation:rule="!has(self.idleTimeout) || !has(self.debugger.unstoppable) || !self.debugger.unstoppable",message="idleTimeout cannot be combined with unstoppable: nothing can stop such a debugger; remove one of them",fieldPath=".idleTimeout"
// +kubebuilder:validation:XValidation:rule="!has(self.target.when) || has(self.notAfter)",message="a session that waits for a pod to crash needs an end to that: set notAfter, such as the end of your shift",fieldPath=".notAfter"
// +kubebuilder:validation:XValidation:rule="has(self.reason) == has(oldSelf.reason) && (!has(self.reason) || self.reason == oldSelf.reason)",message="reason cannot be changed: it is part of the record; apply a new session, or replace this one, which ends it: kubectl replace --force -f FILE",fieldPath=".reason"
// +kubebuilder:validation:XValidation:rule="self.target == oldSelf.target",message="target cannot be changed: only ttl and end can; apply a new session, or replace this one, which ends it: kubectl replace --force -f FILE",fieldPath=".target"
// +kubebuilder:validation:XValidation:rule="self.mode == oldSelf.mode",message="mode cannot be changed: only ttl and end can; apply a new session, or replace this one, which ends it: kubectl replace --force -f FILE",fieldPath=".mode"
// +kubebuilder:validation:XValidation:rule="has(self.profile) == has(oldSelf.profile) && (!has(self.profile) || self.profile == oldSelf.profile)",message="profile cannot be changed: only ttl and end can; apply a new session, or replace this one, which ends it: kubectl replace --force -f FILE",fieldPath=".profile"
// +kubebuilder:validation:XValidation:rule="self.debugger == oldSelf.debugger",message="debugger cannot be changed: only ttl and end can; apply a new session, or replace this one, which ends it: kubectl replace --force -f FILE",fieldPath=".debugger"
// +kubebuilder:validation:XValidation:rule="has(self.podCopy) == has(oldSelf.podCopy) && (!has(self.podCopy) || self.podCopy == oldSelf.podCopy)",message="podCopy cannot be changed: only ttl and end can; apply a new session, or replace this one, which ends it: kubectl replace --force -f FILE",fieldPath=".podCopy"
// +kubebuilder:validation:XValidation:rule="has(self.imagePullSecrets) == has(oldSelf.imagePullSecrets) && (!has(self.imagePullSecrets) || self.imagePullSecrets == oldSelf.imagePullSecrets)",message="imagePullSecrets cannot be changed: only ttl and end can; apply a new session, or replace this one, which ends it: kubectl replace --force -f FILE",fieldPath=".imagePullSecrets"
// +kubebuilder:validation:XValidation:rule="has(self.idleTimeout) == has(oldSelf.idleTimeout) && (!has(self.idleTimeout) || duration(self.idleTimeout) == duration(oldSelf.idleTimeout))",message="idleTimeout cannot be changed: only ttl and end can; apply a new session, or replace this one, which ends it: kubectl replace --force -f FILE",fieldPath=".idleTimeout"
// +kubebuilder:validation:XValidation:rule="has(self.notAfter) == has(oldSelf.notAfter) && (!has(self.notAfter) || self.notAfter == oldSelf.notAfter)",message="notAfter cannot be changed: only ttl and end can; apply a new session, or replace this one, which ends it: kubectl replace --force -f FILE",fieldPath=".notAfter"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.className) || (has(self.className) && self.className == oldSelf.className)",message="className cannot be changed: only ttl and end can; apply a new session, or replace this one, which ends it: kubectl replace --force -f FILE",fieldPath=".className"
// +kubebuilder:validation:XValidation:rule="!(has(self.target.all) || (has(self.target.when) && has(self.target.when.times))) || !has(self.podCopy) || (!has(self.podCopy.name) && !has(self.podCopy.replaceOriginal))",message="with target.all or when.times each copy has a name of its own, and no original is replaced: remove name and replaceOriginal",fieldPath=".podCopy"
// +kubebuilder:validation:XValidation:rule="!(has(self.target.all) || (has(self.target.when) && has(self.target.when.times))) || !has(self.debugger.unstoppable) || !self.debugger.unstoppable",message="the debuggers of target.all and when.times end together, and one that is unstoppable does not: remove it",fieldPath=".debugger.unstoppable"
// +kubebuilder:validation:XValidation:rule="!has(self.memberOf) || (has(self.target.podName) && !has(self.ttl) && (!has(self.emergency) || !self.emergency))",message="a member ends with the session that it belongs to, and is approved with it: change ttl or emergency of that session, named in memberOf",fieldPath=".memberOf"
// +kubebuilder:validation:XValidation:rule="has(self.memberOf) == has(oldSelf.memberOf) && (!has(self.memberOf) || self.memberOf == oldSelf.memberOf)",message="memberOf cannot be changed",fieldPath=".memberOf"
// +kubebuilder:validation:XValidation:rule="has(self.access) == has(oldSelf.access) && (!has(self.access) || self.access == oldSelf.access)",message="access cannot be changed: only ttl and end can; apply a new session, or replace this one, which ends it: kubectl replace --force -f FILE",fieldPath=".access"
// +kubebuilder:validation:XValidation:rule="!has(self.emergency) || !self.emergency || (has(self.reason) && size(self.reason.trim()) > 0)",message="an emergency needs a reason for its reviewers: set reason",fieldPath=".reason"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.emergency) || !oldSelf.emergency || (has(self.emergency) && self.emergency)",message="emergency cannot be unset: set end: true to end the session",fieldPath=".emergency"
// +kubebuilder:validation:XValidation:rule="has(self.requester) == has(oldSelf.requester) && (!has(self.requester) || self.requester == oldSelf.requester || (has(self.emergency) && self.emergency && (!has(oldSelf.emergency) || !oldSelf.emergency) && self.requester.username == oldSelf.requester.username))",message="requester is stamped at creation and cannot be changed",fieldPath=".requester"
type DebugSessionSpec struct {
	// className is the DebugClass, which says what the session may do. Left out: the class that is marked as the default, which is
	// then written here.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ClassName string `json:"className,omitempty"`

	// reason is why this session is needed, in words for whoever reads the record: an incident's number, what was seen.
	// At most 1,024 characters.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`

	// target is what is debugged. It is looked up once: the pod's UID is recorded, and a later pod of the same name is another pod.
	// +required
	Target Target `json:"target"`

	// mode is how the debugger is brought in.
	//
	// EphemeralContainer (the default) adds an ephemeral container to the running pod, in the process namespace of
	// target.container: its processes are seen, its files are under /proc/1/root. The pod keeps serving. Kubernetes can
	// never remove an ephemeral container from a pod's spec.
	//
	// PodCopy makes a copy of the pod with the debugger as one more container, and deletes it at the end. The copy gets
	// no traffic: it has none of the pod's labels. For target.volumeClaim and target.image it makes a pod of that alone and the debugger.
	//
	// Node makes a pod on the node, whatever the node's taints, and deletes it at the end. With the profiles general,
	// sysadmin and legacy it has the node's files at /host and shares the node's network, process and IPC namespaces; with
	// netadmin those namespaces alone; with baseline and restricted neither. The class must allow it, and says in which
	// namespace.
	// +optional
	// +default="EphemeralContainer"
	Mode Mode `json:"mode,omitempty"`

	// profile is what the debugger is set up for, with the meaning that kubectl debug gives it.
	//
	// general: may trace processes (SYS_PTRACE); a copy shares its process namespace.
	// baseline: nothing added; fits namespaces that enforce the baseline Pod Security Standard.
	// restricted: runs as non-root without capabilities; fits the restricted Pod Security Standard.
	// netadmin: may change the pod's network (NET_ADMIN, NET_RAW).
	// sysadmin: privileged.
	// legacy: what kubectl debug did before there were profiles.
	//
	// What debugger.securityContext sets wins over the profile.
	// Left out: the class's default.
	// +optional
	Profile Profile `json:"profile,omitempty"`

	// debugger is the debugger's container. Fields have the names and the meaning of a container in a pod.
	//
	// Left out altogether in a copy with podCopy.containers, no container is added: the session is then about the changed
	// container, and lasts until the copy has finished or its time is up.
	// +optional
	// +default={}
	Debugger Debugger `json:"debugger,omitzero"`

	// podCopy is how the copy is made. Only with mode PodCopy.
	// +optional
	PodCopy *PodCopy `json:"podCopy,omitempty"`

	// imagePullSecrets are Secrets of the namespace with which the images of the pod that is made are pulled: of a copy beside those of its target,
	// of the pod on a node instead of those of the namespace's default service account. The class must list each. Not with mode
	// EphemeralContainer: such a container is pulled with the imagePullSecrets of its pod. A Secret that does not exist is passed over by
	// the kubelet; the condition DebuggerReady names these Secrets when an image cannot be pulled. At most 8.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	ImagePullSecrets []ImagePullSecret `json:"imagePullSecrets,omitempty"`

	// ttl is how long the session lasts, from status.startedAt (before the image is pulled): a duration
	// such as 90s, 30m or 1h30m, from 10s to the class's maxTTL; the class's default if left out. May be changed while the session is active: the end
	// then is startedAt plus the new ttl, at once if that has passed.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') && self != '' && duration(self) >= duration('10s') && duration(self) <= duration('24h')",message="ttl must be a duration from 10s to 24h, such as 90s, 30m or 1h30m"
	TTL *metav1.Duration `json:"ttl,omitempty"`

	// idleTimeout is how long the session may go unused before it ends, from 30s to 24h, but not after more than the class's maxIdleTimeout; the class's
	// default if left out, and if that has none the session does not end for it. It is in use when something is typed into or printed on
	// its terminal, while anything but a shell that waits at its prompt has the terminal, and while kubectl exec runs something in its container.
	// That somebody has attached is not seen, and is no use by itself; one who has is told before. It ends up to a minute later than
	// that, as Expired with the reason IdleTimeout. Only with mode EphemeralContainer, with debugger.tty, and not if it is unstoppable.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') && self != '' && duration(self) >= duration('30s') && duration(self) <= duration('24h')",message="idleTimeout must be a duration from 30s to 24h, such as 15m"
	IdleTimeout *metav1.Duration `json:"idleTimeout,omitempty"`

	// notAfter is the moment after which the session never starts, and past which it never runs. For manifests that live in Git: applied again
	// after this moment, also after having been deleted, the session ends at once as Expired, and nothing is started.
	// +optional
	NotAfter *metav1.Time `json:"notAfter,omitempty"`

	// end ends the session now, if it is set to true. The record stays. An ended session never starts again, so setting it back to
	// false does nothing.
	// +optional
	End bool `json:"end,omitempty"`

	// emergency starts the session before its approval, where its class lets an emergency do so (approval.emergency) and its requester may (the
	// verb emergency on the class). It needs a reason. It is announced on every DebugSink, and who may approve it must approve or deny it
	// afterwards: see status.review. A denial ends it, as always. Its requester may also set it while it waits; it cannot be taken
	// back. It means nothing for a session that needs no approval.
	// +optional
	Emergency bool `json:"emergency,omitempty"`

	// access is who gets access to the debugger. Left out: the requester alone.
	// +optional
	Access *Access `json:"access,omitempty"`

	// memberOf is the session that this one is a member of: one of those that the operator makes for target.all, for each pod, or for
	// target.when.times, at each trigger. Nobody else can set it. A member runs only as that session has recorded it, and ends with it.
	// +optional
	MemberOf *MemberOf `json:"memberOf,omitempty"`

	// requester is who asked for the session: stamped at creation from the identity that the API server saw, as in a
	// CertificateSigningRequest. A manifest that names somebody else is refused.
	// +optional
	Requester *Identity `json:"requester,omitempty"`
}

// MemberOf names the session that another is a member of, in the same namespace.
type MemberOf struct {
	// name is that session's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// uid is that session's UID: another session of its name is another.
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	UID types.UID `json:"uid"`

	// number is which of that session's triggers this one was made at, from 1. Empty with target.all.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=20
	Number int32 `json:"number,omitempty"`
}

// ImagePullSecret names a Secret with which images are pulled.
type ImagePullSecret struct {
	// name is the Secret's name, in the session's namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!format.dns1123Subdomain().validate(self).hasValue()",message="name must be the name of a Secret: lower case letters, digits, - and ."
	Name string `json:"name"`
}

// Access says who gets access to the debugger.
type Access struct {
	// subjects are users, groups and service accounts, as the class allows. At most 32.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Subjects []Subject `json:"subjects"`
}

// Mode is how a debugger is brought in.
// +kubebuilder:validation:Enum=EphemeralContainer;PodCopy;Node
type Mode string

// The modes.
const (
	ModeEphemeralContainer Mode = "EphemeralContainer"
	ModePodCopy            Mode = "PodCopy"
	ModeNode               Mode = "Node"
)

// Modes returns all modes.
func Modes() []Mode { return []Mode{ModeEphemeralContainer, ModePodCopy, ModeNode} }

// Profile is what a debugger is set up for: kubectl debug's profiles.
// +kubebuilder:validation:Enum=general;baseline;restricted;netadmin;sysadmin;legacy
type Profile string

// The profiles.
const (
	ProfileGeneral    Profile = "general"
	ProfileBaseline   Profile = "baseline"
	ProfileRestricted Profile = "restricted"
	ProfileNetadmin   Profile = "netadmin"
	ProfileSysadmin   Profile = "sysadmin"
	ProfileLegacy     Profile = "legacy"
)

// Profiles returns all profiles.
func Profiles() []Profile {
	return []Profile{ProfileGeneral, ProfileBaseline, ProfileRestricted, ProfileNetadmin, ProfileSysadmin, ProfileLegacy}
}

// Target says what is debugged.
//
// +kubebuilder:validation:XValidation:rule="[has(self.podName), has(self.workload), has(self.selector), has(self.nodeName), has(self.volumeClaim), has(self.image)].filter(x, x).size() == 1",message="name exactly one of podName, workload, selector, nodeName, volumeClaim and image"
// +kubebuilder:validation:XValidation:rule="!has(self.container) || !has(self.nodeName)",message="a node has no container: remove container",fieldPath=".container"
// +kubebuilder:validation:XValidation:rule="!has(self.container) || !has(self.volumeClaim)",message="a volume claim has no container: remove container",fieldPath=".container"
// +kubebuilder:validation:XValidation:rule="!has(self.podNamespace) || has(self.podName)",message="podNamespace is the namespace of podName: set podName, or remove it",fieldPath=".podNamespace"
// +kubebuilder:validation:XValidation:rule="!has(self.podNamespace) || !has(self.container)",message="the network is that of the whole pod: remove container",fieldPath=".container"
// +kubebuilder:validation:XValidation:rule="!has(self.pick) || has(self.workload) || has(self.selector)",message="pick chooses among the pods of a workload or selector: remove it, or name one of those",fieldPath=".pick"
// +kubebuilder:validation:XValidation:rule="!has(self.when) || has(self.workload) || has(self.selector)",message="when waits for one of the pods of a workload or selector: remove it, or name one of those",fieldPath=".when"
// +kubebuilder:validation:XValidation:rule="!has(self.when) || !has(self.pick)",message="with when the pod that crashes, or is not ready, is the one: remove pick, or when",fieldPath=".pick"
// +kubebuilder:validation:XValidation:rule="!has(self.all) || has(self.workload) || has(self.selector)",message="all is about the pods of a workload or selector: remove it, or name one of those",fieldPath=".all"
// +kubebuilder:validation:XValidation:rule="!has(self.all) || (!has(self.pick) && !has(self.when))",message="pick and when choose one of the pods: remove them, or all",fieldPath=".all"
type Target struct {
	// podName is the name of a pod in the session's namespace, or in podNamespace. If there is none yet, the session waits for it for five minutes.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!format.dns1123Subdomain().validate(self).hasValue()",message="podName must be the name of a pod: lower case letters, digits, - and ."
	PodName string `json:"podName,omitempty"`

	// podNamespace is the namespace of podName, with mode Node: a pod is made on that pod's node, in the session's own namespace, whose debugger is in
	// the network of the pod that is named, and nowhere else of it. So packets can be captured where Pod Security lets no pod have the
	// capabilities for it. The class must allow it, by podNetworks. The requester must be allowed to patch pods/ephemeralcontainers of
	// the pod.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="!format.dns1123Label().validate(self).hasValue()",message="podNamespace must be the name of a namespace: lower case letters, digits and -"
	PodNamespace string `json:"podNamespace,omitempty"`

	// workload is a workload in the session's namespace. One of its running pods is chosen, as pick says. With mode PodCopy and without pick, of a
	// workload that has no pods and wants none (scaled to zero, a Job that is over or suspended, a CronJob) the copy is made by its pod template, as its
	// controller would make the first pod.
	// +optional
	Workload *Workload `json:"workload,omitempty"`

	// selector selects pods in the session's namespace by their labels. One of the running ones is chosen, as pick says.
	// It must select something by at least one label or expression.
	// +optional
	// +kubebuilder:validation:XValidation:rule="(has(self.matchLabels) && size(self.matchLabels) > 0) || (has(self.matchExpressions) && size(self.matchExpressions) > 0)",message="an empty selector would select every pod: name at least one label"
	Selector *metav1.LabelSelector `json:"selector,omitempty"`

	// nodeName is the name of a node. Only with mode Node, which needs it or podNamespace. If there is none yet, the session waits for it for five minutes.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!format.dns1123Subdomain().validate(self).hasValue()",message="nodeName must be the name of a node: lower case letters, digits, - and ."
	NodeName string `json:"nodeName,omitempty"`

	// volumeClaim is a PersistentVolumeClaim in the session's namespace. A pod is made that has nothing but the claim's volume and the debugger, in
	// which the volume is mounted. Only with mode PodCopy. The class must allow it, by volumeClaims.
	// +optional
	VolumeClaim *VolumeClaim `json:"volumeClaim,omitempty"`

	// image is an image to look at, or to see why it does not start. A pod is made of it: one container, app, that runs the image, and the debugger
	// beside it, which sees its processes. podCopy.containers gives app another command, args, env or resources, and podCopy.quiesce has it
	// sleep. With the profile restricted app, too, runs as the restricted Pod Security Standard demands. It has no token of a
	// service account, and is not started again when it ends. Only with mode PodCopy. The class must allow it, by targetImages.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^[^\\\\s]+$')",message="image must be an image name, such as busybox:1.36, without spaces"
	Image string `json:"image,omitempty"`

	// pick is which pod of a workload or selector is chosen. Left out: one that is not ready before one that is, and among those
	// the newest. Ready: the newest that is ready. Unhealthy: the newest that is not ready. Newest and Oldest: by age
	// alone. Pods of one age are taken in the order of their names. The choice is made once.
	// +optional
	Pick Pick `json:"pick,omitempty"`

	// when has the session wait, armed, until one of the pods of the workload or selector crashes, or has not been ready for so long, and debugs that
	// one; with times also the next ones. It is approved before, and needs notAfter. Left out: it starts as soon as it may.
	// +optional
	When *When `json:"when,omitempty"`

	// all has each of the pods of the workload or selector debugged, at the same time: a session each, made by the operator, which status.members
	// lists. They are approved together, and end together. Which pods is decided once, when the session starts. The class must allow it, by
	// limits.maxMembers. Left out: one of the pods.
	// +optional
	All *AllPods `json:"all,omitempty"`

	// container is the container whose process namespace an ephemeral debugger joins: a container or init container of the pod. Left
	// out: the one named by the pod's annotation kubectl.kubernetes.io/default-container, else the first. In a copy to
	// which no debugger is added, the container that the session is about; left out: the first of podCopy.containers that
	// is no init container, else as above.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="!format.dns1123Label().validate(self).hasValue()",message="container must be the name of a container: lower case letters, digits and -"
	Container string `json:"container,omitempty"`
}

// IsAlone reports whether the target is no pod and has none: a pod is made of it.
func (t *Target) IsAlone() bool { return t.VolumeClaim != nil || t.Image != "" }

// IsPodNetwork reports whether the debugger is to be in the network of a pod of another namespace.
func (t *Target) IsPodNetwork() bool { return t.PodNamespace != "" }

// Times is how many pods a session debugs, one at each trigger; 0 for one that debugs the first alone, and for one that waits for none.
func (t *Target) Times() int32 {
	if t.When == nil {
		return 0
	}
	return t.When.Times
}

// HasMembers reports whether the session debugs nothing itself: the operator makes sessions for it, its members, one for each pod, or one
// at each trigger.
func (s *DebugSessionSpec) HasMembers() bool { return s.Target.All != nil || s.Target.Times() > 0 }

// TargetNamespace is where the session's target is: its own namespace, unless the target says otherwise.
func (s *DebugSession) TargetNamespace() string {
	return cmp.Or(s.Spec.Target.PodNamespace, s.Namespace)
}

// VolumeClaim names a PersistentVolumeClaim, and says how it is mounted.
type VolumeClaim struct {
	// name is the claim's name. If there is none yet, or it is not bound, the session waits for five minutes. One that is being deleted, that
	// is a raw block device, or that is ReadWriteOncePod and mounted by a pod, ends the session as Rejected. If a pod mounts one that only one
	// node can mount at a time, the session's pod is made on that pod's node.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!format.dns1123Subdomain().validate(self).hasValue()",message="name must be the name of a PersistentVolumeClaim: lower case letters, digits, - and ."
	Name string `json:"name"`

	// mountPath is where the volume is mounted in the debugger. The default is /mnt.
	// +optional
	// +default="/mnt"
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^/[^:]*[^:/][^:]*$')",message="mountPath must be an absolute path below /, without colons, such as /mnt"
	MountPath string `json:"mountPath,omitempty"`

	// readOnly tells whether nothing can be written to the volume, not by the kubelet either. The default is true. The class must allow false.
	// +optional
	// +default=true
	ReadOnly *bool `json:"readOnly,omitempty"`
}

// Writes reports whether the volume is mounted for writing.
func (c *VolumeClaim) Writes() bool { return c.ReadOnly != nil && !*c.ReadOnly }

// When is what an armed session waits for.
//
// +kubebuilder:validation:XValidation:rule="(has(self.crashed) && self.crashed) != has(self.notReadyFor)",message="set exactly one of crashed: true and notReadyFor"
type When struct {
	// crashed waits for a container of the pod that exits with another code than 0, is killed, or is restarted, after the session was armed: the one
	// named by target.container, else any container or native sidecar, but no other init container. Pods that are being deleted do not count. With
	// mode EphemeralContainer neither do pods that have finished: nothing can start in them.
	// +optional
	Crashed bool `json:"crashed,omitempty"`

	// notReadyFor waits for a pod whose condition Ready has been other than True for so long, by its lastTransitionTime and since the session was
	// armed: from 10s to 24h. A pod that starts is not ready either: choose more than that takes. Pods that have finished or are
	// being deleted do not count.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') && self != '' && duration(self) >= duration('10s') && duration(self) <= duration('24h')",message="notReadyFor must be a duration from 10s to 24h, such as 2m"
	NotReadyFor *metav1.Duration `json:"notReadyFor,omitempty"`

	// times is how often it happens, from 2 to 20: at each trigger the operator makes a session for the pod that did it, a member, which
	// status.members lists, until there are so many or notAfter is over. Each lasts for ttl from its own start. What a pod does while its member
	// runs is no trigger, and with notReadyFor it must have become ready once before it is the next. The class must allow it, by
	// limits.maxMembers. Left out: once, in the first pod, without members.
	// +optional
	// +kubebuilder:validation:Minimum=2
	// +kubebuilder:validation:Maximum=20
	Times int32 `json:"times,omitempty"`
}

// AllPods says how many pods a session debugs at the same time.
type AllPods struct {
	// max is the most pods that are debugged: from 1 to 50. If there are more when the session starts, it ends as Rejected, and none is debugged.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=50
	Max int32 `json:"max"`
}

// Workload names an object that runs pods.
type Workload struct {
	// apiVersion is the API version of the workload, such as apps/v1 (the default) or batch/v1.
	// +optional
	// +default="apps/v1"
	// +kubebuilder:validation:MaxLength=317
	APIVersion string `json:"apiVersion,omitempty"`

	// kind is the kind: Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, or any other with a scale subresource. With mode PodCopy also CronJob.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`

	// name is the workload's name, in the session's namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// Pick says which of several pods is chosen.
// +kubebuilder:validation:Enum=Ready;Unhealthy;Newest;Oldest
type Pick string

// The ways to choose a pod. The zero value is unhealthy before healthy, then newest.
const (
	PickReady     Pick = "Ready"
	PickUnhealthy Pick = "Unhealthy"
	PickNewest    Pick = "Newest"
	PickOldest    Pick = "Oldest"
)

// Debugger is the container that is added. Names and meaning are those of a container in a pod.
//
// +kubebuilder:validation:XValidation:rule="!has(self.tty) || !self.tty || (has(self.stdin) && self.stdin)",message="tty needs stdin: set stdin: true, or remove tty",fieldPath=".tty"
// +kubebuilder:validation:XValidation:rule="!has(self.stdinOnce) || !self.stdinOnce || (has(self.stdin) && self.stdin)",message="stdinOnce needs stdin: set stdin: true, or remove stdinOnce",fieldPath=".stdinOnce"
// +kubebuilder:validation:XValidation:rule="!has(self.envFromTarget) || !self.envFromTarget || !has(self.container)",message="the container that becomes the debugger keeps its own environment: remove envFromTarget, or remove container",fieldPath=".envFromTarget"
// +kubebuilder:validation:XValidation:rule="!has(self.runAs) || !has(self.securityContext) || (!has(self.securityContext.runAsUser) && !has(self.securityContext.runAsGroup))",message="runAs already sets the user: remove it, or remove runAsUser and runAsGroup from securityContext",fieldPath=".runAs"
type Debugger struct {
	// container names a container of the copy, or an init container that it keeps, to use as the debugger instead of adding one. What is
	// set here overrides its own; env and volumeMounts are added to its own; stdin and tty always come from here; the profile is applied to
	// it. What is left out keeps the target's value, the image too. Only with mode PodCopy.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="!format.dns1123Label().validate(self).hasValue()",message="container must be the name of a container: lower case letters, digits and -"
	Container string `json:"container,omitempty"`

	// image is the image to run. It should have a shell and the tools you want; the target's own image needs neither. Left out:
	// the class's default.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^[^\\\\s]+$')",message="image must be an image name, such as busybox:1.36, without spaces"
	Image string `json:"image,omitempty"`

	// command is the command, not run in a shell. Left out: sh in an ephemeral container and in a pod's network, the image's entrypoint in a copy or in an
	// unstoppable container. At most 64 words of 4,096 characters.
	// $(VAR) is replaced by the variable's value, as in a pod.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=4096
	Command []string `json:"command,omitempty"`

	// args are arguments to the command, or to the image's entrypoint. At most 64 of 4,096 characters.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=4096
	Args []string `json:"args,omitempty"`

	// workingDir is the command's working directory. Left out: the image's.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	WorkingDir string `json:"workingDir,omitempty"`

	// env adds environment variables. At most 64. A debugger that joins a container's process namespace finds that container's
	// files where $TARGET_ROOT says, unless that is set here.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Env []corev1.EnvVar `json:"env,omitempty"`

	// envFrom names ConfigMaps and Secrets of the namespace whose keys become environment variables. At most 16.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	EnvFrom []corev1.EnvFromSource `json:"envFrom,omitempty"`

	// envFromTarget gives the debugger the environment of the target's container: its env and envFrom, as the kubelet resolves them, from Secrets
	// and ConfigMaps too. What env sets wins, and so does what envFrom reads over what the target's envFrom does. What the target's image sets is
	// not in it. Not with mode Node. The class must allow it, by allowTargetEnvironment or by allowVolumes.
	// +optional
	EnvFromTarget bool `json:"envFromTarget,omitempty"`

	// volumeMounts are volumes of the target pod to mount. A debugger cannot bring volumes of its own. No subPath in an ephemeral
	// container: Kubernetes forbids it. In mode Node there is one volume at most, host-root. At most 32.
	// +optional
	// +listType=map
	// +listMapKey=mountPath
	// +kubebuilder:validation:MaxItems=32
	VolumeMounts []corev1.VolumeMount `json:"volumeMounts,omitempty"`

	// mountsFrom is a container of the target, or an init container, whose volumes are mounted in the debugger at the same paths. What
	// volumeMounts puts at one of those paths wins. In an ephemeral container mounts with a subPath are left out, since
	// Kubernetes forbids them there; status.debugger.mountsLeftOut names them. Not with mode Node.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="!format.dns1123Label().validate(self).hasValue()",message="mountsFrom must be the name of a container: lower case letters, digits and -"
	MountsFrom string `json:"mountsFrom,omitempty"`

	// runAs says as whom the debugger runs: FromTarget runs the debugger as the user and the group that the target's container runs as: what its securityContext
	// or its pod's says, else what the kubelet reports once it runs, for which the session waits. That is what it takes to
	// read the files and the memory of a process that is not root's. Supplemental groups are the pod's and the image's, as in
	// every container. If neither tells, the session is Rejected. Left out: the image's user, or what securityContext
	// says. Not with mode Node.
	// +optional
	RunAs RunAs `json:"runAs,omitempty"`

	// securityContext sets privileges and user of the debugger. What is set here wins over the profile. The namespace's Pod Security level
	// still has the last word.
	// +optional
	SecurityContext *corev1.SecurityContext `json:"securityContext,omitempty"`

	// imagePullPolicy is when the image is pulled: Always, IfNotPresent or Never. Left out: Always for the tag latest, else IfNotPresent.
	// +optional
	// +kubebuilder:validation:Enum=Always;IfNotPresent;Never
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`

	// stdin keeps standard input open, so that one can type once attached.
	// +optional
	Stdin bool `json:"stdin,omitempty"`

	// stdinOnce closes standard input when the first client that attached goes: its shell then ends, and the session with it.
	// +optional
	StdinOnce bool `json:"stdinOnce,omitempty"`

	// tty gives the command a terminal. Everything shown in it is also in the container's log.
	// +optional
	TTY bool `json:"tty,omitempty"`

	// terminationMessagePolicy says where the message is read from: File reads the message from /dev/termination-log (the default); FallbackToLogsOnError takes the end of the log when
	// that file is empty and the command failed.
	// +optional
	// +kubebuilder:validation:Enum=File;FallbackToLogsOnError
	TerminationMessagePolicy corev1.TerminationMessagePolicy `json:"terminationMessagePolicy,omitempty"`

	// resources are CPU, memory and other resources. Not with mode EphemeralContainer: such a container shares its pod's.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// unstoppable runs the image as it is, with nothing around its command that ends it: for images that have no shell. Kubernetes can
	// neither remove an ephemeral container nor limit its time, so this one runs until it exits by itself or its pod goes.
	// At the end of its ttl the access to it is taken away, and the session is Ending until then. Without a command the
	// image's own entrypoint runs. Only with mode EphemeralContainer, and if the class allows it.
	// +optional
	Unstoppable bool `json:"unstoppable,omitempty"`

	// artifacts are files of the debugger, by their absolute paths, that are kept in the operator's audit store when its command has ended, such as
	// /tmp/dump.pcap: at most 8, and together no larger than the class's artifacts.maxSize. Regular files of the debugger's own container, which
	// its user can read; no symbolic links, no wildcards, and nothing below /proc, /sys and /dev. The container stays for up to 5 minutes for it, and not
	// past its deadline. status.artifacts tells what became of each. Only without stdin and tty, not if it is unstoppable, and not in a pod's network.
	// The image must have sh, sleep and cat. In a copy nothing is started again that has ended. The class must allow it, and the operator must have an audit store.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=2
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.all(p, p.matches('^(/[A-Za-z0-9._+@%=:,-]+)+$'))",message="each must be the absolute path of a file, such as /tmp/dump.pcap, of letters, digits and ._+@%=:,- alone: no wildcards, no spaces"
	// +kubebuilder:validation:XValidation:rule="!self.exists(p, p.matches('/[.]{1,2}(/|$)'))",message="a path must not have the parts . or ..: write it without them"
	// +kubebuilder:validation:XValidation:rule="!self.exists(p, p.matches('^/(proc|sys|dev)(/|$)'))",message="nothing below /proc, /sys and /dev can be kept: have the command copy it to a file, such as one in /tmp"
	Artifacts []string `json:"artifacts,omitempty"`
}

// RunAs says whose user the debugger runs as.
// +kubebuilder:validation:Enum=FromTarget
type RunAs string

// RunAsFromTarget is the user of the target's container.
const RunAsFromTarget RunAs = "FromTarget"

// PodCopy says how a copy is made.
//
// +kubebuilder:validation:XValidation:rule="!has(self.quiesce) || !has(self.containers) || self.containers.all(c, !(has(c.command) || has(c.args)) || !self.quiesce.exists(q, q.name == c.name))",message="a container that sleeps runs nothing else: remove its entry in quiesce, or command and args in containers",fieldPath=".quiesce"
// +kubebuilder:validation:XValidation:rule="!has(self.isolate) || !self.isolate || !has(self.keep) || !self.keep.exists(k, k == 'Labels')",message="with the target's labels the copy has the target's network policies too, which may allow what isolate forbids: remove Labels from keep, or remove isolate",fieldPath=".isolate"
// +kubebuilder:validation:XValidation:rule="!has(self.isolate) || !self.isolate || !has(self.keepLabels) || self.keepLabels.size() == 0",message="with labels of the target the copy may have the target's network policies too, which may allow what isolate forbids: remove keepLabels, or remove isolate",fieldPath=".isolate"
// +kubebuilder:validation:XValidation:rule="!has(self.keepLabels) || self.keepLabels.size() == 0 || !has(self.keep) || !self.keep.exists(k, k == 'Labels')",message="keep has Labels, which keeps all of them: remove Labels from keep, or remove keepLabels",fieldPath=".keepLabels"
// +kubebuilder:validation:XValidation:rule="!has(self.omitContainers) || !has(self.containers) || !self.containers.exists(c, c.name in self.omitContainers)",message="a container that is left out cannot be changed: remove its entry in containers, or its name here",fieldPath=".omitContainers"
// +kubebuilder:validation:XValidation:rule="!has(self.omitContainers) || !has(self.quiesce) || !self.quiesce.exists(q, q.name in self.omitContainers)",message="a container that is left out cannot sleep: remove its entry in quiesce, or its name here",fieldPath=".omitContainers"
type PodCopy struct {
	// name is the copy's name. If a pod of that name exists the session is Rejected, and that pod is not touched.
	// Left out: the target's name, -debug- and five characters.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!format.dns1123Subdomain().validate(self).hasValue()",message="name must be a pod's name: lower case letters, digits, - and ."
	Name string `json:"name,omitempty"`

	// shareProcesses tells whether the copy's containers see one another's processes. The default is true, also if the target says false. It
	// means nothing for a target in the host's process namespace, or on Windows.
	// +optional
	// +default=true
	ShareProcesses *bool `json:"shareProcesses,omitempty"`

	// sameNode tells whether the copy must run on the target's node.
	// +optional
	SameNode bool `json:"sameNode,omitempty"`

	// keep says what the copy keeps of the target. Left out: its init containers, and nothing else of this list. Labels are kept at
	// your own risk: Services may then send traffic to the copy. With the profile legacy this is not looked at: all is
	// kept but the labels, as kubectl debug does.
	// +optional
	// +listType=set
	// +default=["InitContainers"]
	// +kubebuilder:validation:MaxItems=6
	Keep []Keep `json:"keep,omitzero"` // omitzero, since [] is not the default: it keeps nothing

	// keepLabels are labels of the target, by their keys, that the copy keeps though keep has no Labels: such as app, for a NetworkPolicy that
	// selects by it. A Service or a PodDisruptionBudget that selects by these alone counts the copy, too; status.warnings names the
	// budgets. A key that the target does not have ends the session as Rejected. At most 32.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=317
	KeepLabels []string `json:"keepLabels,omitempty"`

	// omitContainers are containers and init containers of the target that the copy does not have, by name: such as a sidecar that an admission
	// webhook adds to every pod, and would add to the copy a second time. Volumes stay. One that the target does not have ends
	// the session as Rejected. At most 32.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	OmitContainers []string `json:"omitContainers,omitempty"`

	// containers are changes to containers of the copy, init containers included, by name. The target is not touched. One that the copy
	// does not have ends the session as Rejected. At most 32.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Containers []ContainerChange `json:"containers,omitempty"`

	// quiesce lists containers of the copy that sleep instead of running their program, so that the application does not run twice: two
	// consumers of one queue are the next incident. They keep their environment and their mounts, and lose their probes and
	// hooks. At most 32.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Quiesce []QuiescedContainer `json:"quiesce,omitempty"`

	// isolate cuts the copy off: a NetworkPolicy that goes with it allows no traffic to it and none from it. kubectl exec and attach
	// still work. It takes a network plugin that enforces policies, and a policy of the namespace that allows traffic of all
	// pods still allows this one's.
	// +optional
	Isolate bool `json:"isolate,omitempty"`

	// replaceOriginal deletes the target once the copy runs, or once the copy cannot be placed while the target is there. Left out: the
	// target stays. IfUncontrolled: only a target that nothing would make again; any other ends the session as Rejected.
	// Always: also one that its controller makes again. The target is gone for good, and the copy goes with the session. The
	// class must allow it.
	// +optional
	ReplaceOriginal ReplaceOriginal `json:"replaceOriginal,omitempty"`
}

// ReplaceOriginal says which targets are deleted for their copy.
// +kubebuilder:validation:Enum=IfUncontrolled;Always
type ReplaceOriginal string

// Which targets are deleted for their copy.
const (
	ReplaceIfUncontrolled ReplaceOriginal = "IfUncontrolled"
	ReplaceAlways         ReplaceOriginal = "Always"
)

// QuiescedContainer is a container of the copy that sleeps.
type QuiescedContainer struct {
	// name is the container's name. * stands for every container and native sidecar that has no entry of its own, no command or args
	// in podCopy.containers, and is not debugger.container. Other init containers cannot sleep, since the copy would wait
	// for them: leave them out by keep.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == '*' || !format.dns1123Label().validate(self).hasValue()",message="name must be the name of a container, or *"
	Name string `json:"name"`

	// with is how it sleeps: Sleep (the default) runs the sleep that the container's own image has. OperatorImage runs the operator's image
	// instead, for an image that has no sleep: the container's files are then not there.
	// +optional
	// +default="Sleep"
	With QuiesceWith `json:"with,omitempty"`
}

// QuiesceWith is what a quiesced container sleeps with.
// +kubebuilder:validation:Enum=Sleep;OperatorImage
type QuiesceWith string

// What a quiesced container sleeps with.
const (
	QuiesceWithSleep         QuiesceWith = "Sleep"
	QuiesceWithOperatorImage QuiesceWith = "OperatorImage"
)

// ContainerChange says what is different in a container of the copy. What is left out stays as it is in the target.
//
// +kubebuilder:validation:XValidation:rule="has(self.image) || has(self.command) || has(self.args) || has(self.env) || has(self.resources)",message="a change must change something: set image, command, args, env or resources"
// +kubebuilder:validation:XValidation:rule="self.name != '*' || !(has(self.command) || has(self.args) || has(self.env) || has(self.resources))",message="only image can be changed for all containers at once: name one container to change more"
type ContainerChange struct {
	// name is the container's name, or * for the image of every container that has no change of its image by name. As in
	// kubectl debug --set-image, * means no init container: name those.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == '*' || !format.dns1123Label().validate(self).hasValue()",message="name must be the name of a container, or *"
	Name string `json:"name"`

	// image is the image to run instead.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^[^\\\\s]+$')",message="image must be an image name, such as busybox:1.36, without spaces"
	Image string `json:"image,omitempty"`

	// command is the command to run instead, not in a shell. The container's own args go with its own command: give args too if
	// there are any. At most 64 words of 4,096 characters.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=4096
	Command []string `json:"command,omitempty"`

	// args are the arguments to give instead. At most 64 of 4,096 characters.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=4096
	Args []string `json:"args,omitempty"`

	// env adds environment variables to the container's own. One of the same name takes that one's place. At most 64.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Env []corev1.EnvVar `json:"env,omitempty"`

	// resources are CPU, memory and other resources. They take the place of all the container's own.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`
}

// Keep is something that a copy keeps of its target.
// +kubebuilder:validation:Enum=Labels;Annotations;LivenessProbe;ReadinessProbe;StartupProbe;InitContainers
type Keep string

// What a copy may keep.
const (
	KeepLabels         Keep = "Labels"
	KeepAnnotations    Keep = "Annotations"
	KeepLivenessProbe  Keep = "LivenessProbe"
	KeepReadinessProbe Keep = "ReadinessProbe"
	KeepStartupProbe   Keep = "StartupProbe"
	KeepInitContainers Keep = "InitContainers"
)

// Phase is where a session stands.
// +kubebuilder:validation:Enum=Pending;AwaitingApproval;Starting;Active;Ending;Ended
type Phase string

// The phases, in the order in which a session passes through them. Any may be followed by Ended.
const (
	PhasePending          Phase = "Pending"          // nothing was made: something is waited for
	PhaseAwaitingApproval Phase = "AwaitingApproval" // fit to start, once it has been approved
	PhaseStarting         Phase = "Starting"         // admitted and recorded; the debugger is being made
	PhaseActive           Phase = "Active"           // the debugger runs
	PhaseEnding           Phase = "Ending"           // the debugger is being removed
	PhaseEnded            Phase = "Ended"            // over; it never starts again
)

// Phases returns all phases.
func Phases() []Phase {
	return []Phase{PhasePending, PhaseAwaitingApproval, PhaseStarting, PhaseActive, PhaseEnding, PhaseEnded}
}

// Outcome is how a session ended.
// +kubebuilder:validation:Enum=Completed;Expired;Terminated;Revoked;Denied;Rejected;TimedOut;TargetGone;NotStarted;Failed
type Outcome string

// The outcomes.
const (
	OutcomeCompleted  Outcome = "Completed"  // the debugger's command ended by itself
	OutcomeExpired    Outcome = "Expired"    // its ttl, notAfter or idleTimeout was reached
	OutcomeTerminated Outcome = "Terminated" // somebody ended it: end: true, or the session or the copy was deleted
	OutcomeRevoked    Outcome = "Revoked"    // an approval that it ran on was taken back
	OutcomeDenied     Outcome = "Denied"     // somebody who may approve it said no
	OutcomeRejected   Outcome = "Rejected"   // it can never run as it is written
	OutcomeTimedOut   Outcome = "TimedOut"   // what it waited for did not come in time
	OutcomeTargetGone Outcome = "TargetGone" // the target went away
	OutcomeNotStarted Outcome = "NotStarted" // it was admitted, and the debugger never ran: status.reason and the message say why
	OutcomeFailed     Outcome = "Failed"     // the debugger was lost: it was killed for memory or evicted, or nobody could be given access
)

// Outcomes returns all outcomes.
func Outcomes() []Outcome {
	return []Outcome{
		OutcomeCompleted, OutcomeExpired, OutcomeTerminated, OutcomeRevoked, OutcomeDenied, OutcomeRejected, OutcomeTimedOut,
		OutcomeTargetGone, OutcomeNotStarted, OutcomeFailed,
	}
}

// ClassStatus is what the class granted the session when it was found fit. It is not read again: a class that is edited
// or replaced later does not widen it.
type ClassStatus struct {
	// name is the class's name.
	// +required
	Name string `json:"name"`

	// uid is its UID.
	// +required
	UID types.UID `json:"uid"`

	// generation is its generation.
	// +required
	Generation int64 `json:"generation"`

	// image is the debugger's image: the session's, or the class's default. Empty if a container of the copy keeps its own.
	// +optional
	Image string `json:"image,omitempty"`

	// profile is the profile: the session's, or the class's default.
	// +optional
	Profile Profile `json:"profile,omitempty"`

	// ttl is the ttl of a session that sets none.
	// +required
	TTL Duration `json:"ttl"`

	// maxTTL is the longest that the session may last, also by extension.
	// +required
	MaxTTL Duration `json:"maxTTL"`

	// idleTimeout is the idleTimeout: the session's, or the class's default. Empty if the session does not end for want of use.
	// +optional
	IdleTimeout *Duration `json:"idleTimeout,omitempty"`

	// approvalsRequired is how many people must approve; 0 for an exempt requester.
	// +optional
	ApprovalsRequired int32 `json:"approvalsRequired"`

	// approvalTimeout is how long the session waits for them.
	// +optional
	ApprovalTimeout *Duration `json:"approvalTimeout,omitempty"`

	// selfApproval tells whether the requester's own approval counts.
	// +optional
	SelfApproval bool `json:"selfApproval,omitempty"`

	// requireRequestHash tells whether an approval must write requestHash itself.
	// +optional
	RequireRequestHash bool `json:"requireRequestHash,omitempty"`

	// accessVerbs say what may be done with the debugger's pod.
	// +optional
	// +listType=set
	AccessVerbs []AccessVerb `json:"accessVerbs,omitempty"`

	// audit is what becomes of the session's audit record.
	// +optional
	Audit AuditPolicy `json:"audit,omitempty"`

	// transcript tells whether what the debugger prints is kept. It is None also where the class says BestEffort and the operator has no audit store.
	// +optional
	Transcript TranscriptPolicy `json:"transcript,omitempty"`

	// maxArtifactSize is how large the files of debugger.artifacts may be together. Empty for a session without artifacts.
	// +optional
	MaxArtifactSize *resource.Quantity `json:"maxArtifactSize,omitempty"`

	// retention is how long the record is kept.
	// +optional
	Retention *Duration `json:"retention,omitempty"`

	// endWarnings say how long before its end the session is warned of it.
	// +optional
	// +listType=atomic
	EndWarnings []Duration `json:"endWarnings,omitempty"`

	// emergency is how the session may start before its approval. Empty if it may not.
	// +optional
	Emergency *EmergencyGrant `json:"emergency,omitempty"`

	// allows is what it allows what is made to have. Once recorded it can only become less.
	// +optional
	Allows *ClassAllows `json:"allows,omitempty"`
}

// EmergencyGrant is approval.emergency of the class's spec.
type EmergencyGrant struct {
	// reviewWithin is how long after its start the session must have been reviewed at the latest.
	// +required
	ReviewWithin Duration `json:"reviewWithin"`

	// maxTTL is the longest that it lasts while nobody has approved it.
	// +required
	MaxTTL Duration `json:"maxTTL"`
}

// ClassAllows is what a class allows what is made to have: the fields of the same names in the class's spec.
type ClassAllows struct {
	// securityContext is the class's allowSecurityContext.
	// +optional
	SecurityContext bool `json:"securityContext,omitempty"`

	// volumes is the class's allowVolumes.
	// +optional
	Volumes bool `json:"volumes,omitempty"`

	// priority is the class's allowPriority.
	// +optional
	Priority bool `json:"priority,omitempty"`

	// resources are the class's resources.
	// +optional
	Resources *ResourceBounds `json:"resources,omitempty"`
}

// RequestStatus is what an approver is asked to approve.
type RequestStatus struct {
	// hash stands for all of it: the session's spec but for ttl, end and emergency, what its class granted, the target's UID, and what would
	// be made, hidden values too. With target.when it stands for whichever pod it will be, but for nothing else than was shown. It is made with a key that the operator keeps, so that nobody can try out values by it. If that has changed by the start, as by an edit of the target, the session ends as Rejected.
	// +required
	Hash string `json:"hash"`

	// since is when the wait for approval began.
	// +required
	Since metav1.Time `json:"since"`

	// preview is what would be added to the cluster, as the API server answered when asked to do it as a dry run: the ephemeral
	// container, or the copy. Around the command of an ephemeral container comes what ends it in time, which is not shown.
	// Values of environment variables and HTTP headers that the session does not give itself read "(hidden)": see hidden.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	Preview *runtime.RawExtension `json:"preview,omitempty"`

	// hidden names the values that the preview does not show, as whoever may read the session may not be meant to read them. What is made has the true
	// values, and the hash covers those that the target has: if one is changed, what was approved does not start.
	// +optional
	// +listType=atomic
	Hidden []HiddenValues `json:"hidden,omitempty"`
}

// HiddenValues are the values of a container that a preview does not show.
type HiddenValues struct {
	// container is the container's name.
	// +required
	Container string `json:"container"`

	// env are the environment variables whose values are hidden: 64 at most, the last of which then says how many more there are.
	// +optional
	// +listType=atomic
	Env []string `json:"env,omitempty"`

	// httpHeaders are the headers of its HTTP probes and hooks whose values are hidden, likewise.
	// +optional
	// +listType=atomic
	HTTPHeaders []string `json:"httpHeaders,omitempty"`
}

// ApprovalStatus is one approval that counts, or a denial.
type ApprovalStatus struct {
	// name is the DebugApproval's name.
	// +required
	Name string `json:"name"`

	// by is who decided.
	// +required
	By string `json:"by"`

	// at is when they decided.
	// +required
	At metav1.Time `json:"at"`

	// decision is Approve or Deny.
	// +required
	Decision Decision `json:"decision"`

	// ttl is the longest ttl that is approved.
	// +optional
	TTL *Duration `json:"ttl,omitempty"`

	// reason is why, as the approver has written it, in one line; at most 1,000 bytes. It stays when the approval is deleted.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
}

// ChangeStatus is a change of ttl or end, of which the operator's admission has seen who made it.
type ChangeStatus struct {
	// by is who changed it.
	// +required
	By string `json:"by"`

	// at is when they changed it.
	// +required
	At metav1.Time `json:"at"`

	// ttl is the ttl that the session had from then on. Empty for the class's.
	// +optional
	TTL *Duration `json:"ttl,omitempty"`

	// end tells whether it had spec.end from then on.
	// +optional
	End bool `json:"end,omitempty"`
}

// DeletionStatus is a deletion that the operator's admission has seen.
type DeletionStatus struct {
	// by is who wanted it deleted.
	// +required
	By string `json:"by"`

	// at is when they wanted that.
	// +required
	At metav1.Time `json:"at"`
}

// ReviewStatus is where the review of a session stands that started before its approval.
type ReviewStatus struct {
	// since is when the session started without approval.
	// +required
	Since metav1.Time `json:"since"`

	// dueAt is when it must have been reviewed.
	// +required
	DueAt metav1.Time `json:"dueAt"`

	// nextReminder is when its being overdue is told next: dueAt, and then once a day. Empty once it was reviewed.
	// +optional
	NextReminder *metav1.Time `json:"nextReminder,omitempty"`

	// decision is how it was reviewed: Approve, or Deny. Empty while that is awaited. It is final.
	// +optional
	Decision Decision `json:"decision,omitempty"`

	// by is who reviewed it: see approvals. At most 1,024 characters.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	By string `json:"by,omitempty"`

	// at is when that was decided.
	// +optional
	At *metav1.Time `json:"at,omitempty"`

	// afterEnd tells whether that was after the session had ended.
	// +optional
	AfterEnd bool `json:"afterEnd,omitempty"`
}

// AccessStatus is the access that the session gives while it lasts.
type AccessStatus struct {
	// name is the name of the Role and of the RoleBinding, in the session's namespace.
	// +required
	Name string `json:"name"`

	// subjects are those who have access.
	// +required
	// +listType=atomic
	Subjects []Subject `json:"subjects"`
}

// DebugSessionStatus is what was done. Times are in whole seconds, UTC.
type DebugSessionStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of; -1 if the operator has not looked at the session yet.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// phase is where the session stands: Pending, AwaitingApproval, Starting, Active, Ending or Ended.
	// +optional
	Phase Phase `json:"phase,omitempty"`

	// reason is why it stands there, in one word: the reason of the condition that decides.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Reason string `json:"reason,omitempty"`

	// waitingFor is whom the session waits for, while it waits for approval.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	WaitingFor string `json:"waitingFor,omitempty"`

	// obstacle is what has kept the debugger from running, as it was seen last. It stays when the session ends without its debugger having
	// run, and is empty once it has.
	// +optional
	Obstacle *Obstacle `json:"obstacle,omitempty"`

	// outcome is how the session ended. Empty until it has.
	//
	// Completed, Expired, Terminated, Revoked and TargetGone are of sessions that may have run. Rejected, Denied, TimedOut and
	// NotStarted are of sessions whose debugger never did, and Failed is of one that was lost. Where somebody ended a session before
	// its debugger ran, the message of the condition Ended tells that it never did.
	// +optional
	Outcome Outcome `json:"outcome,omitempty"`

	// conditions has Attachable, which is True only while one can attach: kubectl wait --for=condition=Attachable, and then run status.attach.
	// Without stdin that shows the debugger's output. Ended is True when the session is over for good, Approved when it has its
	// approvals, Admissible when it may run as it is written, and DebuggerReady while the debugger's container runs. Ready,
	// Reconciling and Stalled are what tools that read kstatus go by: Ready is True also for a session that ran and has ended.
	//
	// Reviewed is there for a session that started before its approval: False while its review is awaited or overdue.
	//
	// What there is to say stands in one of them: Admissible while the session is Pending, Approved while it is
	// AwaitingApproval, DebuggerReady while it is Starting or Active, then Ended.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// requesterVerifiedAt is when the operator first found that its admission had stamped spec.requester while the API server checked it
	// against who created the session. Only the seal is verified after that. Empty until then.
	// +optional
	RequesterVerifiedAt *metav1.Time `json:"requesterVerifiedAt,omitempty"`

	// class is what the class granted, recorded when the session was found fit.
	// +optional
	Class *ClassStatus `json:"class,omitempty"`

	// request is what approvers are asked to approve, if approval is needed.
	// +optional
	Request *RequestStatus `json:"request,omitempty"`

	// approvals are the approvals that count, and denials; of more than 32 those that decide.
	// +optional
	// +listType=map
	// +listMapKey=name
	Approvals []ApprovalStatus `json:"approvals,omitempty"`

	// changes record who has changed ttl or end since the session was created; of more than 16 changes the last. A change that was made while the
	// operator's admission did not answer is not here.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Changes []ChangeStatus `json:"changes,omitempty"`

	// deletedBy is who wanted the session deleted last, before it had ended.
	// +optional
	DeletedBy *DeletionStatus `json:"deletedBy,omitempty"`

	// review is the review of a session that started before its approval, as an emergency. Empty for others.
	// +optional
	Review *ReviewStatus `json:"review,omitempty"`

	// approvedBy is who approved it, in one line for kubectl get: see approvals.
	// +optional
	ApprovedBy string `json:"approvedBy,omitempty"`

	// access is the access that the session gives while it lasts. Recorded before it is given.
	// +optional
	Access *AccessStatus `json:"access,omitempty"`

	// target is what is debugged, as found. Recorded before anything is made.
	// +optional
	Target *TargetStatus `json:"target,omitempty"`

	// armed is how a session with target.when stands that waits for its trigger, or has waited. Empty for others.
	// +optional
	Armed *ArmedStatus `json:"armed,omitempty"`

	// members are the sessions that are made for a session with target.all, one for each pod. Each is recorded before it is made.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=50
	Members []MemberStatus `json:"members,omitempty"`

	// memberCounts counts the members by how they stand. Empty for a session that has none.
	// +optional
	MemberCounts *MemberCounts `json:"memberCounts,omitempty"`

	// debugger is the debugger's pod and container. Its name is recorded before it is made.
	// +optional
	Debugger *DebuggerStatus `json:"debugger,omitempty"`

	// startedAt is when the session started. The ttl counts from here.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`

	// expiresAt is when the session ends by itself: startedAt plus ttl, or notAfter or target.deadline if that is earlier. A later ttl counts when the debugger
	// has been told of it.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// nextEndWarning is when the next warning of the end is due, an event EndingSoon. Empty if there is none to come.
	// +optional
	NextEndWarning *metav1.Time `json:"nextEndWarning,omitempty"`

	// hardDeadline is the latest end that ttl could be set to: the debugger ends then whatever happens, also with the operator down. Empty for one that is
	// unstoppable.
	// +optional
	HardDeadline *metav1.Time `json:"hardDeadline,omitempty"`

	// endedAt is when the session had ended: nothing of it was left. Of one that requires its audit record this is there while it is Ending
	// until the record is stored.
	// +optional
	EndedAt *metav1.Time `json:"endedAt,omitempty"`

	// warnings say what is otherwise than one would think, and was known when the session was admitted: variables that tell a copy another name
	// than its target has, or disruption budgets that count the copy. At most 16, of 512 characters.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=512
	Warnings []string `json:"warnings,omitempty"`

	// attach is the command that connects to the debugger, while the session is active.
	// +optional
	Attach string `json:"attach,omitempty"`

	// audit is the session's audit record in the operator's audit store. Empty until it is stored there.
	// +optional
	Audit *AuditStatus `json:"audit,omitempty"`

	// transcript is the transcript of what the debugger printed, in the operator's audit store. Empty until it is complete, and if none is kept.
	// +optional
	Transcript *TranscriptStatus `json:"transcript,omitempty"`

	// artifacts tell what became of each file of debugger.artifacts, in their order. Empty until that is known, and if the debugger has not run.
	// +optional
	// +listType=map
	// +listMapKey=path
	// +kubebuilder:validation:MaxItems=8
	Artifacts []ArtifactStatus `json:"artifacts,omitempty"`

	// notifications record what each DebugSink has been told of the session, so that it is told again of nothing but what it may have missed.
	// +optional
	// +listType=map
	// +listMapKey=sink
	// +kubebuilder:validation:MaxItems=64
	Notifications []SinkNotifications `json:"notifications,omitempty"`
}

// Obstacle is what keeps a debugger from running.
type Obstacle struct {
	// reason is the obstacle in one word: the kubelet's, such as ErrImagePull, or one that conditions have as their reason.
	// +required
	// +kubebuilder:validation:MaxLength=256
	Reason string `json:"reason"`

	// message says what it is, and what can be done about it.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message"`
}

// AuditStatus is where the audit record of a session is.
type AuditStatus struct {
	// key is the record's key in the audit store.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Key string `json:"key"`

	// sha256 is the SHA-256 of the record's text, in hex.
	// +required
	// +kubebuilder:validation:MaxLength=64
	SHA256 string `json:"sha256"`

	// reviewKey is the key of the record of a review that came after the session's end. The session's own record does not change any more.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	ReviewKey string `json:"reviewKey,omitempty"`

	// reviewSHA256 is the SHA-256 of that record's text, in hex.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ReviewSHA256 string `json:"reviewSHA256,omitempty"`
}

// TranscriptFormat is what a transcript is.
// +kubebuilder:validation:Enum=Cast;Text
type TranscriptFormat string

// The formats of transcripts.
const (
	TranscriptCast TranscriptFormat = "Cast" // asciicast v2, with times and with escape sequences as they were printed
	TranscriptText TranscriptFormat = "Text" // plain text, with control characters shown as their pictures
)

// TranscriptStatus is where the transcript of a session is, and what it is. Its parts, in the order of their keys, are one file.
type TranscriptStatus struct {
	// key is what the keys of its parts in the audit store begin with.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Key string `json:"key"`

	// format is Cast or Text.
	// +required
	Format TranscriptFormat `json:"format"`

	// parts is how many parts it has. 0: nothing was kept, as nothing was printed, or as incomplete says.
	// +required
	Parts int32 `json:"parts"`

	// bytes is how many bytes they have together.
	// +required
	Bytes int64 `json:"bytes"`

	// sha256 is the SHA-256 of the parts one after another, in hex.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	SHA256 string `json:"sha256,omitempty"`

	// cut tells whether it was cut off, as it had reached 10 MiB.
	// +optional
	Cut bool `json:"cut,omitempty"`

	// incomplete is why some of what was printed may be missing. Empty if none is.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Incomplete string `json:"incomplete,omitempty"`
}

// ArtifactState is what became of a file that was to be kept.
// +kubebuilder:validation:Enum=Kept;Missing;NotRegular;Unreadable;TooLarge;Lost
type ArtifactState string

// The states of artifacts.
const (
	ArtifactKept       ArtifactState = "Kept"       // it is in the store, whole
	ArtifactMissing    ArtifactState = "Missing"    // there is no such file
	ArtifactNotRegular ArtifactState = "NotRegular" // it is no regular file of the debugger's own, or a part of its path is a symbolic link
	ArtifactUnreadable ArtifactState = "Unreadable" // the debugger's user may not read it, or reading it failed
	ArtifactTooLarge   ArtifactState = "TooLarge"   // it is larger than what the class leaves for it
	ArtifactLost       ArtifactState = "Lost"       // it was not read or stored in time
)

// ArtifactStatus is what became of one file that was to be kept. Its parts, in the order of their keys, are the file.
type ArtifactStatus struct {
	// path is where the file was in the debugger's container.
	// +required
	// +kubebuilder:validation:MaxLength=512
	Path string `json:"path"`

	// state is Kept, or why the file was not kept: Missing, NotRegular, Unreadable, TooLarge or Lost.
	// +required
	State ArtifactState `json:"state"`

	// message says why it was not kept. Empty if it was.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// key is what the keys of its parts in the audit store begin with. Empty if it was not kept.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Key string `json:"key,omitempty"`

	// parts is how many parts it has.
	// +optional
	Parts int32 `json:"parts,omitempty"`

	// bytes is how large it is.
	// +optional
	Bytes int64 `json:"bytes,omitempty"`

	// sha256 is its SHA-256, in hex.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	SHA256 string `json:"sha256,omitempty"`
}

// AwaitsArtifacts reports whether the session's debugger has run, and it is not known yet what became of the files that it was to leave.
func (s *DebugSession) AwaitsArtifacts() bool {
	return len(s.Spec.Debugger.Artifacts) > 0 && s.Status.Artifacts == nil && s.Status.Debugger != nil && s.Status.Debugger.StartedAt != nil
}

// IsArmed reports whether what happens to the pods that the session watches counts: before, it waits for approval.
func (s *DebugSessionStatus) IsArmed() bool { return s.Armed != nil && s.Armed.Since != nil }

// Transcribed reports whether what the session's debugger prints is kept.
func (s *DebugSessionStatus) Transcribed() bool {
	return s.Class != nil && (s.Class.Transcript == TranscriptBestEffort || s.Class.Transcript == TranscriptRequired)
}

// LeavesTranscript reports whether there is a transcript of the session, complete or not: what its debugger prints is kept, and it has run.
func (s *DebugSessionStatus) LeavesTranscript() bool {
	return s.Transcribed() && s.Debugger != nil && s.Debugger.StartedAt != nil
}

// SinkNotifications is what one DebugSink has been told of a session.
type SinkNotifications struct {
	// sink is the DebugSink's name.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Sink string `json:"sink"`

	// sent is the last that it was told, of each type: the type, and what it was about if that may change. At most 8.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=64
	Sent []string `json:"sent,omitempty"`
}

// ArmedStatus is how a session stands that waits for its trigger, or has waited.
type ArmedStatus struct {
	// selector selects the pods that are watched: that of the target, or of its workload as it was when the session was found fit.
	// +required
	// +kubebuilder:validation:MaxLength=4096
	Selector string `json:"selector"`

	// since is when the session was armed: what happened before does not trigger it. Empty while it waits for approval.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`

	// triggeredAt is when a pod was seen to have done what the session waits for: see target.choice. Empty until then. With when.times it is
	// the last time.
	// +optional
	TriggeredAt *metav1.Time `json:"triggeredAt,omitempty"`

	// ttl is how long each member may last from its own start, with when.times: spec.ttl, or the class's, as far as the approvals allow. Empty
	// until the first trigger.
	// +optional
	TTL *Duration `json:"ttl,omitempty"`
}

// MemberStatus is how one member of a session stands, as it was when its phase or reason changed last.
type MemberStatus struct {
	// name is the member's name, in the same namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// uid is the member's UID. Empty until it was made; nothing starts before it is recorded here.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	UID types.UID `json:"uid,omitempty"`

	// podName is the name of the pod that it debugs.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	PodName string `json:"podName"`

	// podUID is that pod's UID.
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	PodUID types.UID `json:"podUID"`

	// number is which trigger it was made at, from 1. Empty with target.all.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=20
	Number int32 `json:"number,omitempty"`

	// trigger is what the pod did that the member was made at: the first 256 characters. Empty with target.all.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Trigger string `json:"trigger,omitempty"`

	// triggeredAt is when that was seen; if the pod's node has a clock that is ahead, when it was by that. Empty with target.all.
	// +optional
	TriggeredAt *metav1.Time `json:"triggeredAt,omitempty"`

	// phase is where the member stands. Empty until it was made.
	// +optional
	Phase Phase `json:"phase,omitempty"`

	// reason is why it stands there, in one word.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Reason string `json:"reason,omitempty"`

	// outcome is how it ended. Empty until it has.
	// +optional
	Outcome Outcome `json:"outcome,omitempty"`

	// startedAt is when its debugger began to run. Empty if it has not.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`

	// endedAt is when it ended. Empty until it has.
	// +optional
	EndedAt *metav1.Time `json:"endedAt,omitempty"`

	// exitCode is its command's exit code.
	// +optional
	ExitCode *int32 `json:"exitCode,omitempty"`

	// message says why it stands there: of a longer message the first 256 characters.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Message string `json:"message,omitempty"`

	// output is the last 128 characters of the member's status.debugger.output.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Output string `json:"output,omitempty"`
}

// MemberCounts counts the members of a session.
type MemberCounts struct {
	// total is how many there are.
	// +required
	Total int32 `json:"total"`

	// active is how many are Active.
	// +required
	Active int32 `json:"active"`

	// ended is how many have ended.
	// +required
	Ended int32 `json:"ended"`

	// failed is how many of those ended without having done what they were for.
	// +required
	Failed int32 `json:"failed"`
}

// TargetStatus is what is debugged, as found.
type TargetStatus struct {
	// name is what is debugged, in short: the pod's name, for many pods the workload or selector and how many there are, such as deployment/checkout (3), for many triggers how many there were, such as deployment/checkout (2 of 5), network/ and the pod's namespace and name, node/ and the node's name, the kind and the name of the workload whose pod template is
	// copied, such as deployment/checkout, pvc/ and the claim's name, or image/ and the image's full name.
	// +optional
	Name string `json:"name,omitempty"`

	// podName is the pod's name. Empty for a node, a pod template, a claim and an image.
	// +optional
	PodName string `json:"podName,omitempty"`

	// podNamespace is the pod's namespace, if it is not the session's.
	// +optional
	PodNamespace string `json:"podNamespace,omitempty"`

	// podUID is the pod's UID. Empty until the session is admitted.
	// +optional
	PodUID types.UID `json:"podUID,omitempty"`

	// nodeName is the node the pod was on, the node that is debugged, or the node where a pod mounts the claim, if only one node can at a time.
	// +optional
	NodeName string `json:"nodeName,omitempty"`

	// nodeUID is the UID of the node that is debugged. Empty for a pod, and until the session is admitted.
	// +optional
	NodeUID types.UID `json:"nodeUID,omitempty"`

	// workloadUID is the UID of the workload whose pod template is copied, as it had no pods. Empty for a pod and for a node.
	// +optional
	WorkloadUID types.UID `json:"workloadUID,omitempty"`

	// claimUID is the UID of the PersistentVolumeClaim that is debugged. Empty for everything else, and until the session is admitted.
	// +optional
	ClaimUID types.UID `json:"claimUID,omitempty"`

	// image is the image that is debugged, by its full name. Empty for everything else.
	// +optional
	Image string `json:"image,omitempty"`

	// container is the container whose process namespace the debugger joins.
	// +optional
	Container string `json:"container,omitempty"`

	// deadline is when the pod that the debugger runs in, the target or its copy, ends by the target's own activeDeadlineSeconds. The session ends no
	// later. Empty if the target has none.
	// +optional
	Deadline *metav1.Time `json:"deadline,omitempty"`

	// images are the images of the pod's containers and init containers when the session was admitted, as the kubelet reported them; of more
	// than 32 the first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Images []ContainerImage `json:"images,omitempty"`

	// replacedAt is when the pod was deleted for its copy.
	// +optional
	ReplacedAt *metav1.Time `json:"replacedAt,omitempty"`

	// choice is why this pod was chosen, if it was chosen among several; of a session that was armed, what the pod did; with when.times, what the last did.
	// +optional
	Choice string `json:"choice,omitempty"`
}

// ContainerImage is the image that a container ran.
type ContainerImage struct {
	// container is the container's name.
	// +required
	Container string `json:"container"`

	// image is the image, as the kubelet resolved it.
	// +optional
	Image string `json:"image,omitempty"`

	// imageID is its digest, as the kubelet reports it.
	// +optional
	ImageID string `json:"imageID,omitempty"`
}

// DebuggerStatus is the debugger, as made.
type DebuggerStatus struct {
	// podName is the pod the debugger runs in: the target, or the one that was made.
	// +required
	PodName string `json:"podName"`

	// podUID is that pod's UID.
	// +optional
	PodUID types.UID `json:"podUID,omitempty"`

	// containerName is the debugger's container in that pod: the one that was added, or that of the copy that the session is about.
	// +required
	ContainerName string `json:"containerName"`

	// operatorImage is the operator's image as it was when the session was admitted, if containers of what is made run it: those that sleep with it, and the
	// one that brings what enters a pod's network.
	// +optional
	OperatorImage string `json:"operatorImage,omitempty"`

	// mountsLeftOut are mounts of debugger.mountsFrom that an ephemeral container cannot have, by their paths.
	// +optional
	// +listType=atomic
	MountsLeftOut []string `json:"mountsLeftOut,omitempty"`

	// image is the image as the kubelet resolved it.
	// +optional
	Image string `json:"image,omitempty"`

	// imageID is the image's digest, as the kubelet reports it.
	// +optional
	ImageID string `json:"imageID,omitempty"`

	// deadline is when an ephemeral debugger ends by itself at the latest, also with the operator down. It is expiresAt, except while the
	// debugger is being told of another ttl: then it ends between the two. Empty for one that is unstoppable.
	// +optional
	Deadline *metav1.Time `json:"deadline,omitempty"`

	// state is where the container stands: Waiting, Running or Terminated, as last seen.
	// +optional
	State DebuggerState `json:"state,omitempty"`

	// startedAt is when the container began to run.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`

	// finishedAt is when the container ended.
	// +optional
	FinishedAt *metav1.Time `json:"finishedAt,omitempty"`

	// stoppedBy is what ended the container: Command, Deadline, IdleTimeout, Operator, HardDeadline, Target or Other. Empty if it never ran, or still does.
	// +optional
	StoppedBy StoppedBy `json:"stoppedBy,omitempty"`

	// exitCode is the command's exit code. Empty for one in a pod that was deleted, for it goes with the pod.
	// +optional
	ExitCode *int32 `json:"exitCode,omitempty"`

	// message is the container's termination message: at most 4,096 characters, control characters shown as their pictures (ESC is ␛).
	// +optional
	Message string `json:"message,omitempty"`

	// output is the end of what a debugger without stdin has written, once it has ended: at most 1,024 characters, control characters shown
	// as their pictures. Only if the class gives access to logs: whoever may read the session may read this. A copy whose pod
	// restarts its containers may run the debugger again before it is deleted: if its node has by then removed the log of the
	// run that ended, this is a later run's. (API servers before Kubernetes 1.34 refuse a container that is never to be restarted.)
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Output string `json:"output,omitempty"`
}

// DebuggerState is where the debugger's container stands.
// +kubebuilder:validation:Enum=Waiting;Running;Terminated
type DebuggerState string

// The states of the debugger's container.
const (
	DebuggerWaiting    DebuggerState = "Waiting"
	DebuggerRunning    DebuggerState = "Running"
	DebuggerTerminated DebuggerState = "Terminated"
)

// StoppedBy is what ended the debugger's container.
// +kubebuilder:validation:Enum=Command;Deadline;IdleTimeout;Operator;HardDeadline;Target;Other
type StoppedBy string

// What may have ended the debugger's container.
const (
	StoppedByCommand      StoppedBy = "Command"      // its command ended by itself
	StoppedByOperator     StoppedBy = "Operator"     // the operator stopped its processes, or deleted the pod that it had made
	StoppedByDeadline     StoppedBy = "Deadline"     // it reached the deadline that an ephemeral debugger keeps to by itself
	StoppedByIdleTimeout  StoppedBy = "IdleTimeout"  // it ended by itself, for nobody had used it for too long
	StoppedByHardDeadline StoppedBy = "HardDeadline" // the same, at its latest; or the kubelet, for a pod that was made
	StoppedByTarget       StoppedBy = "Target"       // it went with its target
	StoppedByOther        StoppedBy = "Other"        // somebody else deleted the pod that was made, or its node ended it
)
