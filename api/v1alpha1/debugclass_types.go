package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DebugClass says what its sessions may do, as a StorageClass says what its volumes are like. Administrators write
// classes; sessions name one.
//
// Who may use a class, who may approve its sessions, and who may start them before that in an emergency, is plain RBAC: the verbs
// use, approve and emergency on debugclasses of the group debugsession.dev, granted for the cluster by a ClusterRoleBinding or for one namespace by a RoleBinding.
//
// A session keeps what its class granted it when it was admitted. Editing or deleting a class never widens that, and
// never keeps a session from ending.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=dbgclass,categories=debug
// +kubebuilder:printcolumn:name="Modes",type=string,JSONPath=`.status.modes`,description="The modes that may be used"
// +kubebuilder:printcolumn:name="Approvals",type=integer,JSONPath=`.spec.approval.required`,description="How many people must approve"
// +kubebuilder:printcolumn:name="Max-TTL",type=string,JSONPath=`.status.maxTTL`,description="The longest that a session may last"
// +kubebuilder:printcolumn:name="Sessions",type=integer,JSONPath=`.status.sessions`,description="Sessions that have not ended"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Profiles",type=string,priority=1,JSONPath=`.status.profiles`
// +kubebuilder:printcolumn:name="Images",type=string,priority=1,JSONPath=`.status.images`
type DebugClass struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the object's name, namespace, labels and so on.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what sessions of this class may do.
	// +required
	Spec DebugClassSpec `json:"spec"`

	// status is what the operator found.
	// +optional
	Status DebugClassStatus `json:"status,omitzero"`
}

// DebugClassList is a list of DebugClasses.
// +kubebuilder:object:root=true
type DebugClassList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []DebugClass `json:"items"`
}

// DebugClassSpec is what sessions of a class may do. What it does not allow is refused.
//
// +kubebuilder:validation:XValidation:rule="!has(self.defaults) || !has(self.defaults.ttl) || duration(self.defaults.ttl) <= duration(self.maxTTL)",message="defaults.ttl must not be longer than maxTTL",fieldPath=".defaults.ttl"
// +kubebuilder:validation:XValidation:rule="!has(self.approval) || !has(self.approval.emergency) || !has(self.approval.emergency.maxTTL) || duration(self.approval.emergency.maxTTL) <= duration(self.maxTTL)",message="approval.emergency.maxTTL must not be longer than maxTTL",fieldPath=".approval.emergency.maxTTL"
// +kubebuilder:validation:XValidation:rule="!has(self.defaults) || !has(self.defaults.idleTimeout) || !has(self.maxIdleTimeout) || duration(self.defaults.idleTimeout) <= duration(self.maxIdleTimeout)",message="defaults.idleTimeout must not be longer than maxIdleTimeout",fieldPath=".defaults.idleTimeout"
// +kubebuilder:validation:XValidation:rule="!has(self.defaults) || !has(self.defaults.profile) || self.defaults.profile in self.profiles",message="defaults.profile must be one of profiles",fieldPath=".defaults.profile"
// +kubebuilder:validation:XValidation:rule="!self.modes.exists(m, m == 'Node') || has(self.nodeNamespace)",message="mode Node needs nodeNamespace: the namespace in which nodes may be debugged",fieldPath=".nodeNamespace"
// +kubebuilder:validation:XValidation:rule="!has(self.transcript) || self.transcript != 'Required' || (has(self.audit) && self.audit == 'Required')",message="transcript: Required needs audit: Required, as the record names the transcript",fieldPath=".transcript"
type DebugClassSpec struct {
	// namespaceSelector selects the namespaces the class may be used in, by their labels. Left out: all.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`

	// podSelector selects the pods that may be debugged, by their labels. Left out: all. It says nothing of nodes, claims and images.
	// +optional
	PodSelector *metav1.LabelSelector `json:"podSelector,omitempty"`

	// modes are the modes that may be used.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Modes []Mode `json:"modes"`

	// nodeNamespace is the one namespace in which sessions of mode Node may be made. Whoever can reach a pod of theirs there may be root on
	// the node. Needed for mode Node, and for no other.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	NodeNamespace string `json:"nodeNamespace,omitempty"`

	// profiles are the profiles that may be used.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Profiles []Profile `json:"profiles"`

	// images are the images that may be run, the debugger's and those that podCopy.containers changes to: patterns such as busybox,
	// busybox:1.*, registry.example/debug/*, registry.example/** or registry.example/tools@sha256:*. An image is compared
	// by its full name, as a container runtime completes it: busybox is docker.io/library/busybox:latest. * matches
	// within one part between slashes, ** matches any number of parts. A pattern without tag and digest allows every tag
	// and digest. Left out: every image. At most 64.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	Images []string `json:"images,omitempty"`

	// targetImages are the images that may be debugged (target.image): patterns, as in images. Whoever may use the class can then run them, with
	// the network and the admission that the namespace has for its pods. Left out: none; ** allows every image. At most 64.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	TargetImages []string `json:"targetImages,omitempty"`

	// volumeClaims lets sessions debug PersistentVolumeClaims (target.volumeClaim). Left out: it does not. Whoever may use the class can then read
	// what is in each claim that it selects, also of pods that podSelector does not select. {} allows every claim, read-only.
	// +optional
	VolumeClaims *VolumeClaimPolicy `json:"volumeClaims,omitempty"`

	// podNetworks lets sessions of mode Node be in the network of a pod of another namespace (target.podNamespace), where that namespace's Pod
	// Security lets nobody capture packets. Left out: it does not. Whoever may use the class, with an approval and with the right to patch
	// pods/ephemeralcontainers of the pod, can then read what it sends and receives. Such a class needs approval.required, without
	// selfApproval, exempt and emergency, and does not have Exec in access.verbs. Sessions on nodes need another class.
	// +optional
	PodNetworks *PodNetworkPolicy `json:"podNetworks,omitempty"`

	// imagePullSecrets are the Secrets that sessions may name in imagePullSecrets, by name, in whatever namespace they are; * stands for every
	// name. Left out: none. A copy has those of its target in any case. At most 64.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	ImagePullSecrets []string `json:"imagePullSecrets,omitempty"`

	// allowSecurityContext lets a debugger have more privileges than its profile gives. Left out: it may not. A session's own securityContext
	// must then only take privileges away; a container of the copy that becomes the debugger (debugger.container), or whose
	// program podCopy.containers changes, must not have more from its target; and runAs: FromTarget must not make it root.
	// +optional
	AllowSecurityContext bool `json:"allowSecurityContext,omitempty"`

	// allowVolumes tells whether the debugger may mount the target's volumes, be a container of the copy that has them, and read ConfigMaps and
	// Secrets of the namespace by env and envFrom. Left out: it may not. Then it has no token of the pod's service account
	// either, and podCopy.containers may change no container that has any of these.
	// +optional
	AllowVolumes bool `json:"allowVolumes,omitempty"`

	// allowTargetEnvironment tells whether a debugger may have the environment of its target's container (debugger.envFromTarget), what that has from
	// Secrets and ConfigMaps included, and no other Secret or ConfigMap. Left out: only where allowVolumes lets it read them all.
	// +optional
	AllowTargetEnvironment bool `json:"allowTargetEnvironment,omitempty"`

	// allowPriority tells whether a copy keeps its target's priorityClassName, by which it may preempt other pods. Left out: it does not, and gets
	// the cluster's default priority.
	// +optional
	AllowPriority bool `json:"allowPriority,omitempty"`

	// resources is the most that what is made may claim: CPU, memory, ephemeral storage, extended resources such as nvidia.com/gpu, and, as
	// count/resourceclaims.resource.k8s.io, claims of dynamic resource allocation. Left out: no bound. An ephemeral container claims nothing: it shares what its pod has.
	// +optional
	Resources *ResourceBounds `json:"resources,omitempty"`

	// allowUnstoppable tells whether a session may bring a debugger that nothing can end before its pod goes (debugger.unstoppable), as images
	// without a shell need it.
	// +optional
	AllowUnstoppable bool `json:"allowUnstoppable,omitempty"`

	// allowReplace tells whether a session may delete its target once the copy runs (podCopy.replaceOriginal): whoever may use the class can
	// then delete pods.
	// +optional
	AllowReplace bool `json:"allowReplace,omitempty"`

	// defaults is what is taken for a session that does not say.
	// +optional
	Defaults *ClassDefaults `json:"defaults,omitempty"`

	// maxTTL is the longest that a session may last, also by extension, from 10s to 24h. The kubelet enforces it, also with the
	// operator down.
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') && self != '' && duration(self) >= duration('10s') && duration(self) <= duration('24h')",message="maxTTL must be a duration from 10s to 24h, such as 30m or 1h"
	MaxTTL metav1.Duration `json:"maxTTL"`

	// maxIdleTimeout is the longest idleTimeout that a session may set, from 30s to 24h, and what it gets that sets none, unless defaults.idleTimeout is
	// shorter. Left out: no bound, and no idle end unless a session or defaults.idleTimeout sets one. It says nothing of sessions that can have
	// none: in other modes than EphemeralContainer, without a terminal, or unstoppable.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') && self != '' && duration(self) >= duration('30s') && duration(self) <= duration('24h')",message="maxIdleTimeout must be a duration from 30s to 24h, such as 15m"
	MaxIdleTimeout *metav1.Duration `json:"maxIdleTimeout,omitempty"`

	// maxArmedFor is how long after its creation the notAfter of a session with target.when may be at the latest, from 1m to 720h: the longest that one waits
	// for what it was approved for. Left out: no bound.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') && self != '' && duration(self) >= duration('1m') && duration(self) <= duration('720h')",message="maxArmedFor must be a duration from 1m to 720h, such as 12h"
	MaxArmedFor *metav1.Duration `json:"maxArmedFor,omitempty"`

	// endWarnings say how long before its end a session is warned of it: durations from 10s to 24h, such as 5m. At most 4; [5m, 1m] if left out,
	// and [] for none. A session that is shorter than one of them has no such warning. Each is an event EndingSoon on the session, and
	// a line in its debugger's terminal: of an ephemeral debugger that is not unstoppable whoever has attached to it, of others kubectl
	// dbg alone shows it.
	// +optional
	// +listType=set
	// +default=["5m","1m"]
	// +kubebuilder:validation:MaxItems=4
	// +kubebuilder:validation:items:Type=string
	// +kubebuilder:validation:items:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.all(w, w.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') && w != '' && duration(w) >= duration('10s') && duration(w) <= duration('24h'))",message="each must be a duration from 10s to 24h before the end, such as 5m or 30s"
	EndWarnings []metav1.Duration `json:"endWarnings,omitzero"` // omitzero, since [] is not the default: it is no warning

	// approval says who must agree before a session starts. Left out: nobody.
	// +optional
	Approval *ApprovalPolicy `json:"approval,omitempty"`

	// access is what access a session gives, and to whom.
	// +optional
	Access *AccessPolicy `json:"access,omitempty"`

	// reason is what is asked of spec.reason.
	// +optional
	Reason *ReasonPolicy `json:"reason,omitempty"`

	// limits says how many sessions of this class may run at once. One more waits.
	// +optional
	Limits *ClassLimits `json:"limits,omitempty"`

	// audit is what becomes of the audit record of a session of this class, beside the operator's log, which has each. BestEffort: it is kept in
	// the operator's audit store, if it has one, as soon as it can be; the session does not wait for that. Required: nothing starts where
	// the operator has no audit store; and a session that is over, whose debugger and access are gone, stays Ending, and cannot be
	// deleted, until its record is stored.
	// +optional
	// +default="BestEffort"
	Audit AuditPolicy `json:"audit,omitempty"`

	// transcript tells whether what the debugger prints is kept beside the audit record: of one with a terminal as an asciicast, of another as text, of
	// each session up to 10 MiB. Input that is not echoed is not in it. None: it is not. BestEffort: it is if the operator has an
	// audit store, as far as it could be read and stored. Required, which needs audit: Required: nothing starts where the operator has no
	// audit store; and a session that is over stays Ending until its transcript is stored, as far as its log could be read.
	// +optional
	// +default="None"
	Transcript TranscriptPolicy `json:"transcript,omitempty"`

	// artifacts lets sessions keep files of their debugger in the operator's audit store (debugger.artifacts). Left out: it does not. Whoever may read
	// the store can read them.
	// +optional
	Artifacts *ArtifactPolicy `json:"artifacts,omitempty"`

	// retention is how long the record of an ended session is kept before the operator deletes it, at least 1h. Left out: for ever.
	// Records that Argo CD, Flux or Helm own are never deleted: they would be created again.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') && self != '' && duration(self) >= duration('1h')",message="retention must be a duration of at least 1h, such as 168h"
	Retention *metav1.Duration `json:"retention,omitempty"`
}

// VolumeClaimPolicy says which claims may be debugged, and how.
type VolumeClaimPolicy struct {
	// selector selects the claims that may be debugged, by their labels. Left out: all of the session's namespace.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`

	// allowWrite tells whether a session may mount a claim for writing (target.volumeClaim.readOnly: false). Left out: it may not.
	// +optional
	AllowWrite bool `json:"allowWrite,omitempty"`
}

// ArtifactPolicy says how much a session may keep of its debugger's files.
type ArtifactPolicy struct {
	// maxSize is how large the files of one session may be together, from 1 to 1Gi; 16Mi if left out.
	// +optional
	MaxSize *resource.Quantity `json:"maxSize,omitempty"`
}

// PodNetworkPolicy says in which pods' networks a debugger may be.
type PodNetworkPolicy struct {
	// namespaceSelector selects the namespaces of those pods, by their labels; podSelector the pods. {} selects all. kube-system and the operator's own
	// namespace are selected only by their name: the label kubernetes.io/metadata.name.
	// +required
	NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`
}

// AuditPolicy says whether a session waits for its audit record to be stored.
// +kubebuilder:validation:Enum=BestEffort;Required
type AuditPolicy string

// The audit policies. None at all is BestEffort.
const (
	AuditBestEffort AuditPolicy = "BestEffort"
	AuditRequired   AuditPolicy = "Required"
)

// TranscriptPolicy says whether what a debugger prints is kept.
// +kubebuilder:validation:Enum=None;BestEffort;Required
type TranscriptPolicy string

// The transcript policies. None at all is None.
const (
	TranscriptNone       TranscriptPolicy = "None"
	TranscriptBestEffort TranscriptPolicy = "BestEffort"
	TranscriptRequired   TranscriptPolicy = "Required"
)

// ResourceBounds is the most that what is made may claim. Both requests and limits are held to it.
type ResourceBounds struct {
	// debugger is the most for the debugger's container, by resource, such as {cpu: "1", memory: 1Gi}. Where a session sets no limit of cpu,
	// memory or ephemeral-storage, the bound becomes the limit, and the request, if there is none, is 0. One that asks for more
	// is refused. Resources that are not named have no bound; 0 allows none. Of claims, those that the debugger uses are counted.
	// At most 16.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Debugger corev1.ResourceList `json:"debugger,omitempty"`

	// pod is the most for the pod that is made, a copy or the pod on a node, all its containers together. Containers of the pod that
	// have no limit of cpu, memory or ephemeral-storage share in equal parts what the others leave of it, as their limit. A
	// pod that does not fit is refused. Of the target's claims of dynamic resource allocation, a copy has those that its containers
	// use, each counted once. At most 16.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Pod corev1.ResourceList `json:"pod,omitempty"`
}

// ClassDefaults is what is taken for a session that does not say.
type ClassDefaults struct {
	// image is the debugger's image.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Image string `json:"image,omitempty"`

	// profile is that of sessions that set none. Left out: general if the class allows it, else the first that it allows.
	// +optional
	Profile Profile `json:"profile,omitempty"`

	// ttl is that of sessions that set none. Left out: 30m, or maxTTL if that is shorter.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') && self != '' && duration(self) >= duration('10s')",message="ttl must be a duration of at least 10s, such as 30m or 1h"
	TTL *metav1.Duration `json:"ttl,omitempty"`

	// idleTimeout is that of sessions that set none and can have one, from 30s to maxIdleTimeout. Left out: maxIdleTimeout; if that is left out too, none.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') && self != '' && duration(self) >= duration('30s') && duration(self) <= duration('24h')",message="idleTimeout must be a duration from 30s to 24h, such as 15m"
	IdleTimeout *metav1.Duration `json:"idleTimeout,omitempty"`
}

// ApprovalPolicy says who must agree before a session starts.
//
// +kubebuilder:validation:XValidation:rule="!has(self.emergency) || (has(self.required) && self.required > 0)",message="an emergency starts before its approval: set required to at least 1, or remove emergency",fieldPath=".emergency"
// +kubebuilder:validation:XValidation:rule="!has(self.emergency) || !has(self.selfApproval) || !self.selfApproval",message="somebody else must review an emergency: remove selfApproval, or emergency",fieldPath=".emergency"
type ApprovalPolicy struct {
	// required is how many different people must approve. 0: nobody.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	Required int32 `json:"required,omitempty"`

	// timeout is how long a session waits for its approvals, from 1m to 168h, before it ends as TimedOut; 1h if left out.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') && self != '' && duration(self) >= duration('1m') && duration(self) <= duration('168h')",message="timeout must be a duration from 1m to 168h, such as 1h"
	Timeout *metav1.Duration `json:"timeout,omitempty"`

	// selfApproval tells whether the requester's own approval counts.
	// +optional
	SelfApproval bool `json:"selfApproval,omitempty"`

	// requireRequestHash tells whether an approval must write requestHash itself, the session's status.request.hash: who approves has then seen what is
	// asked, and an approval that is applied again cannot be meant for another session. One that does not is refused.
	// A denial needs none.
	// +optional
	RequireRequestHash bool `json:"requireRequestHash,omitempty"`

	// exempt lists requesters whose sessions need no approval, such as the service account of a GitOps controller: there the merge was
	// the approval. At most 32.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Exempt []Subject `json:"exempt,omitempty"`

	// emergency lets a session start before its approval whose requester says that it is an emergency (spec.emergency), and holds the verb
	// emergency on the class. It is announced on every DebugSink, and must be approved afterwards. Left out: none may.
	// +optional
	Emergency *EmergencyPolicy `json:"emergency,omitempty"`
}

// EmergencyPolicy says how sessions start before their approval, and by when that must follow.
type EmergencyPolicy struct {
	// reviewWithin is how long after its start such a session must have been reviewed at the latest, by as many people as must approve: from 1m to 720h, 24h if left
	// out. After that the session and its class say ReviewOverdue until it is. A session that is to be reviewed is not deleted by
	// retention.
	// +optional
	// +default="24h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') && self != '' && duration(self) >= duration('1m') && duration(self) <= duration('720h')",message="reviewWithin must be a duration from 1m to 720h, such as 24h"
	ReviewWithin metav1.Duration `json:"reviewWithin,omitempty"`

	// maxTTL is the longest that such a session lasts while nobody has approved it, from 10s to the class's maxTTL, which it is if left out. Once
	// approved it lasts as approved.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') && self != '' && duration(self) >= duration('10s') && duration(self) <= duration('24h')",message="emergency.maxTTL must be a duration from 10s to 24h, such as 15m"
	MaxTTL *metav1.Duration `json:"maxTTL,omitempty"`
}

// AccessPolicy says what access a session gives, and to whom.
type AccessPolicy struct {
	// verbs say what may be done with the debugger's pod: Attach, Exec, Logs, PortForward. Left out: Attach and Logs. Kubernetes
	// grants these for a pod, not for one of its containers.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=4
	Verbs []AccessVerb `json:"verbs,omitempty"`

	// subjects are those whom a session may name in spec.access.subjects beside its requester. Left out: nobody. At most 32.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Subjects []Subject `json:"subjects,omitempty"`
}

// AccessVerb is something that may be done with the debugger's pod.
// +kubebuilder:validation:Enum=Attach;Exec;Logs;PortForward
type AccessVerb string

// The access verbs.
const (
	AccessAttach      AccessVerb = "Attach"
	AccessExec        AccessVerb = "Exec"
	AccessLogs        AccessVerb = "Logs"
	AccessPortForward AccessVerb = "PortForward"
)

// Subject is a user, a group or a service account.
//
// +kubebuilder:validation:XValidation:rule="(self.kind == 'ServiceAccount') == has(self.namespace)",message="namespace is required for kind ServiceAccount, and not allowed for any other",fieldPath=".namespace"
type Subject struct {
	// kind is User, Group or ServiceAccount.
	// +required
	// +kubebuilder:validation:Enum=User;Group;ServiceAccount
	Kind string `json:"kind"`

	// name is the name, as the API server knows it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Name string `json:"name"`

	// namespace is the namespace of a ServiceAccount.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
}

// The kinds of subjects.
const (
	SubjectUser           = "User"
	SubjectGroup          = "Group"
	SubjectServiceAccount = "ServiceAccount"
)

// ReasonPolicy is what is asked of spec.reason.
type ReasonPolicy struct {
	// required tells whether there must be one.
	// +optional
	Required bool `json:"required,omitempty"`

	// pattern is a regular expression (RE2) that it must match somewhere, such as ^INC-[0-9]+.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Pattern string `json:"pattern,omitempty"`
}

// ClassLimits is how many sessions of a class may run at once. One that is armed (target.when) counts as one that runs, and one of many pods
// (target.all) as one for each pod.
type ClassLimits struct {
	// perNamespace is how many in one namespace. 0 or left out: no limit.
	// +optional
	// +kubebuilder:validation:Minimum=0
	PerNamespace int32 `json:"perNamespace,omitempty"`

	// perRequester is how many of one requester, in the whole cluster. 0 or left out: no limit.
	// +optional
	// +kubebuilder:validation:Minimum=0
	PerRequester int32 `json:"perRequester,omitempty"`

	// maxMembers is how many pods one session may debug: at the same time by target.all, one after another by target.when.times: from 1 to 50. 0
	// or left out: neither is allowed.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=50
	MaxMembers int32 `json:"maxMembers,omitempty"`
}

// DebugClassStatus is what the operator found.
type DebugClassStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// modes is the spec's modes in one line for kubectl get; of many the first.
	// +optional
	Modes string `json:"modes,omitempty"`

	// profiles is the spec's profiles, likewise.
	// +optional
	Profiles string `json:"profiles,omitempty"`

	// images is the spec's images, likewise. * if every image may be run.
	// +optional
	Images string `json:"images,omitempty"`

	// maxTTL is the spec's maxTTL, for kubectl get: 1h, however the spec writes it.
	// +optional
	MaxTTL *Duration `json:"maxTTL,omitempty"`

	// sessions is how many sessions of this class have not ended.
	// +optional
	Sessions int32 `json:"sessions"`

	// reviewsPending is how many sessions that started before their approval are to be reviewed, those that are overdue too.
	// +optional
	ReviewsPending int32 `json:"reviewsPending,omitempty"`

	// reviewsOverdue is how many of them are overdue.
	// +optional
	ReviewsOverdue int32 `json:"reviewsOverdue,omitempty"`

	// conditions has Ready: sessions of this class can be admitted. ReviewOverdue: True while sessions that started before their approval have not
	// been reviewed in time; its message names the first of them. It is there for classes that allow emergencies, and where one is to be reviewed.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Verbs of RBAC on debugclasses, beside the usual ones.
const (
	VerbUse     = "use"     // may have sessions of the class
	VerbApprove = "approve" // may approve sessions of the class

	VerbEmergency = "emergency" // may start sessions of the class before their approval, where the class lets that be
)
