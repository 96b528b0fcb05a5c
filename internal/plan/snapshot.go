package plan

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/debugpod"
)

// Snapshot is the session, the time, and the answers to the questions that Decide has asked so far.
type Snapshot struct {
	Session *v1alpha1.DebugSession
	Now     time.Time

	// OperatorNamespace is the operator's own namespace.
	OperatorNamespace string

	// OperatorImage is the operator's own image; empty if it runs outside the cluster.
	OperatorImage string

	// AuditStore is whether the operator has a store for audit records.
	AuditStore bool

	// HashKey is the key of the hash that stands for what is approved. It is the same for every replica.
	HashKey []byte

	// Change is who has set ttl and end to what they are, if the operator's admission has seen it.
	Change *v1alpha1.ChangeStatus

	// Trusted is whether the operator's admission stamped the session's requester: the answer to CheckSeal. The value says
	// why not, if it is not.
	Trusted Observed[*Refusal]

	// Class is the session's class, and the labels of its namespace: the answers to ReadClass and ReadNamespace.
	Class     Observed[*v1alpha1.DebugClass]
	Namespace Observed[labels.Set]

	// TargetNamespace is the labels of the namespace of a target that is in another than the session's: the answer to ReadTargetNamespace.
	TargetNamespace Observed[labels.Set]

	// MayReachPod is whether the requester may debug such a target in its own namespace: the answer to CheckReachPod.
	MayReachPod Observed[bool]

	// MayUse is whether the requester may use the class now: the answer to CheckUse.
	MayUse Observed[bool]

	// MayDeclareEmergency is whether the requester may now start sessions of the class before their approval: the answer to CheckEmergency.
	MayDeclareEmergency Observed[bool]

	// Running is how many other sessions of the class run: the answer to CountRunning.
	Running Observed[Running]

	// Preview is what the API server would do if asked to make the debugger: the answer to DryRun.
	Preview Observed[Preview]

	// Approvals are those that name the session: the answer to ReadApprovals.
	Approvals Observed[[]approval.Approval]

	// Access is what this process knows of the access that it gave or took: the answer to ReadAccessState.
	Access Observed[AccessState]

	// Candidates are the pods of a workload or selector: the answer to ListCandidates.
	Candidates Observed[[]corev1.Pod]

	// Selector selects the pods of a workload or selector: the answer to ResolveSelector.
	Selector Observed[string]

	// Watched are the pods of which an armed session waits for one: the answer to WatchPods.
	Watched Observed[[]corev1.Pod]

	// Template is the pod template of a workload, and whether that wants no pods: the answer to ReadTemplate.
	Template Observed[*debugpod.Template]

	// Claim is the PersistentVolumeClaim to be debugged, and ClaimPods the pods that mount it: the answers to ReadClaim and ListClaimPods.
	Claim     Observed[*corev1.PersistentVolumeClaim]
	ClaimPods Observed[[]corev1.Pod]

	// Target is the pod being debugged, or to be: the answer to ReadTarget.
	Target Observed[*corev1.Pod]

	// OwnerSession is the name of another session that the target was made for: the answer to FindOwnerSession.
	OwnerSession Observed[string]

	// Node is the node to be debugged: the answer to ReadNode.
	Node Observed[*corev1.Node]

	// NetworkPolicy is the policy that cuts off the copy: the answer to ReadNetworkPolicy.
	NetworkPolicy Observed[*networkingv1.NetworkPolicy]

	// Budgets are the disruption budgets of the namespace: the answer to ListBudgets.
	Budgets Observed[[]policyv1.PodDisruptionBudget]

	// Output is the end of what the debugger wrote: the answer to ReadOutput.
	Output Observed[string]

	// Record is what this process knows of the session's audit record: the answer to ReadRecord.
	Record Observed[RecordState]

	// Transcript is what this process knows of the session's transcript: the answer to ReadTranscript.
	Transcript Observed[TranscriptState]

	// Artifacts is what this process knows of the files that the session keeps: the answer to ReadArtifacts.
	Artifacts Observed[ArtifactsState]

	// Parent is the session that a member names: the answer to ReadParent.
	Parent Observed[*Parent]

	// Members are the members of a session that have not ended, as far as that is recorded, by their names: the answer to ReadMembers.
	Members Observed[map[string]*v1alpha1.DebugSession]

	// DebuggerPod is the pod of the name recorded for the one that the operator makes, in modes that make one: the answer to
	// ReadDebuggerPod.
	DebuggerPod Observed[*corev1.Pod]
}

// Running is how many sessions of one class run, the one in question not counted.
type Running struct{ InNamespace, OfRequester int32 }

// Preview is the API server's answer to a dry run: what it would keep, as JSON and without the values that are hidden, or why it
// refuses. It is there to be looked at: what is made is built anew.
type Preview struct {
	Object  []byte
	Hidden  []v1alpha1.HiddenValues
	Refusal *Refusal
}

// AccessState is what a process knows of the access that it gave or took. After a restart it knows nothing, and does
// again what is harmless to do twice.
type AccessState int

// What is known of a session's access.
const (
	AccessUnsure AccessState = iota
	AccessGranted
	AccessRevoked
)

// RecordState is what a process knows of a session's audit record. After a restart it knows nothing, and stores again what is the same
// record.
type RecordState struct {
	Stored  *v1alpha1.AuditStatus // where it is; nil if it is not stored yet
	Known   bool                  // it is on its way
	Failure string                // why it could not be stored
}

// Question is something that Decide must know before it can decide. The set is closed.
type Question interface{ question() }

type (
	// CheckSeal asks whether the requester was stamped by the operator's own admission.
	CheckSeal struct{}

	// ReadClass asks for a class by name.
	ReadClass struct{ Name string }

	// ReadNamespace asks for the labels of the session's namespace.
	ReadNamespace struct{}

	// ReadTargetNamespace asks for the labels of a namespace by name. Only a session whose target is in another namespace than its own asks.
	ReadTargetNamespace struct{ Name string }

	// CheckReachPod asks whether the requester may patch pods/ephemeralcontainers of spec.target's pod. Only such a session asks.
	CheckReachPod struct{}

	// CheckUse asks whether the requester may use the class in the session's namespace.
	CheckUse struct{}

	// CheckEmergency asks whether the requester may start sessions of the class before their approval. Only an emergency asks.
	CheckEmergency struct{}

	// CountRunning asks how many sessions of the class run. Until the pass has been persisted no other session of the
	// class may be counted.
	CountRunning struct{}

	// DryRun asks the API server what it would make of an action that makes a debugger, without doing it.
	DryRun struct{ Action Action }

	// ReadApprovals asks for the approvals that name the session. It may be answered from a watch. If Fresh, the API server
	// itself must be asked.
	ReadApprovals struct{ Fresh bool }

	// ReadAccessState asks what this process has done about the session's access.
	ReadAccessState struct{}

	// ReadRecord asks what this process has done about the session's audit record.
	ReadRecord struct{}

	// ReadTranscript asks what this process has done about the session's transcript. The session is woken when that changes.
	ReadTranscript struct{}

	// ReadArtifacts asks what this process has done about the files that the session keeps. The session is woken when all is done.
	ReadArtifacts struct{}

	// ListCandidates asks for the pods of spec.target's workload or selector. Unless Fresh, what an API server has at hand will do.
	ListCandidates struct{ Fresh bool }

	// ResolveSelector asks for the label selector of spec.target's workload or selector, as text.
	ResolveSelector struct{}

	// WatchPods asks for the pods that a label selector selects. It is answered from a watch, which then goes on: the session is woken when
	// one of them changes, comes or goes.
	WatchPods struct{ Selector string }

	// ReadTemplate asks the API server for the pod template of spec.target's workload. Only a session of mode PodCopy asks, of a workload
	// without pods.
	ReadTemplate struct{}

	// ReadClaim asks the API server for a PersistentVolumeClaim by name. Only a session that debugs one asks, before its debugger runs.
	ReadClaim struct{ Name string }

	// ListClaimPods asks for the pods that mount a PersistentVolumeClaim. What an API server has at hand will do.
	ListClaimPods struct{ Claim string }

	// ReadTarget asks for a pod by name, in the target's namespace. It may be answered from a watch, which then goes on: the session is woken when
	// the pod changes. If Fresh, the API server itself must be asked.
	ReadTarget struct {
		Name  string
		Fresh bool
	}

	// FindOwnerSession asks for the session, not ended and not this one, that has a pod of that name, in the target's namespace, for its own.
	FindOwnerSession struct{ Pod string }

	// ReadNode asks for a node by name.
	ReadNode struct{ Name string }

	// ReadNetworkPolicy asks the API server for the policy of that name, if it is this session's.
	ReadNetworkPolicy struct{ Name string }

	// ListBudgets asks the API server for the disruption budgets of the namespace. Only a session whose copy has labels of its
	// target asks, once.
	ListBudgets struct{}

	// ReadOutput asks for the end of what a container wrote. Of one that its kubelet starts again, Ended is when the run ended that is
	// meant; zero: there is but one. It is asked once.
	ReadOutput struct {
		Pod       types.NamespacedName
		Container string
		Ended     time.Time
	}

	// ReadParent asks for the session of that name, and whether it is known who asked for it. Only a member asks. It may be answered from a
	// cache, and the session is woken when that session moves on. If Fresh, the API server itself must be asked.
	ReadParent struct {
		Name  string
		Fresh bool
	}

	// ReadMembers asks for the sessions of those names. It may be answered from a cache, and the session is woken when one of its members
	// changes. If Fresh, the API server itself must be asked for those that the cache does not have.
	ReadMembers struct {
		Names []string
		Fresh bool
	}

	// ReadDebuggerPod asks for the pod of the name recorded for the one that the operator makes. It may be answered from a cache of the pods that the operator made.
	// If Fresh, the API server itself must be asked.
	ReadDebuggerPod struct {
		Name  string
		Fresh bool
	}
)

func (CheckSeal) question()           {}
func (ReadClass) question()           {}
func (ReadNamespace) question()       {}
func (ReadTargetNamespace) question() {}
func (CheckReachPod) question()       {}
func (CheckUse) question()            {}
func (CheckEmergency) question()      {}
func (CountRunning) question()        {}
func (DryRun) question()              {}
func (ReadApprovals) question()       {}
func (ReadAccessState) question()     {}
func (ReadRecord) question()          {}
func (ReadTranscript) question()      {}
func (ReadArtifacts) question()       {}
func (ListCandidates) question()      {}
func (ResolveSelector) question()     {}
func (WatchPods) question()           {}
func (ReadTemplate) question()        {}
func (ReadClaim) question()           {}
func (ListClaimPods) question()       {}
func (ReadTarget) question()          {}
func (FindOwnerSession) question()    {}
func (ReadNode) question()            {}
func (ReadNetworkPolicy) question()   {}
func (ListBudgets) question()         {}
func (ReadOutput) question()          {}
func (ReadParent) question()          {}
func (ReadMembers) question()         {}
func (ReadDebuggerPod) question()     {}

// Observed is the answer to a question: found, absent, awaited or unknown. The zero value is a question not asked yet.
type Observed[T any] struct {
	value T
	state observation
	fresh bool
	err   error
}

type observation int

const (
	unasked observation = iota
	awaited
	found
	absent
	unknown
)

// Found is the answer that the thing exists.
func Found[T any](value T) Observed[T] { return Observed[T]{value: value, state: found} }

// Absent is the answer that the thing does not exist.
func Absent[T any]() Observed[T] { return Observed[T]{state: absent} }

// Awaited means that no answer came yet, and that the session will be woken when it does.
func Awaited[T any]() Observed[T] { return Observed[T]{state: awaited} }

// Unknown means that the thing could not be read, and why.
func Unknown[T any](err error) Observed[T] { return Observed[T]{state: unknown, err: err} }

// Fresh marks an answer as the API server's own, rather than a cache's.
func (o Observed[T]) Fresh() Observed[T] {
	o.fresh = true
	return o
}
