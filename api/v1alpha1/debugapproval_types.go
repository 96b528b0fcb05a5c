package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// DebugApproval is one person's word on one session of the same namespace: yes or no. It is an object, so an approval can
// be a commit, and reverting that commit takes it back: a session that runs on it is then ended.
//
// Write sessionName and decision. Who you are, which session it is and what exactly you approve is stamped when the
// approval is created, from the session's status.request: look at it first. An approval that arrives before its session
// is there and asks for approval cannot be bound to anything: if you may approve any class in the namespace it is accepted,
// counts for nothing, and says so. Delete it and create it again.
//
// An approval never changes. It outlives its session, so that applied again it does not become the approval of another session
// of that name; the operator deletes it 30 days after its session has gone, unless a GitOps tool would create it again.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=dbgapproval,categories=debug
// +kubebuilder:printcolumn:name="Session",type=string,JSONPath=`.spec.sessionName`
// +kubebuilder:printcolumn:name="Decision",type=string,JSONPath=`.spec.decision`
// +kubebuilder:printcolumn:name="By",type=string,JSONPath=`.spec.approver.username`
// +kubebuilder:printcolumn:name="Counts",type=string,JSONPath=`.status.conditions[?(@.type=="Counted")].status`
// +kubebuilder:printcolumn:name="Why",type=string,JSONPath=`.status.conditions[?(@.type=="Counted")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type DebugApproval struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the object's name, namespace, labels and so on.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what is decided. It never changes.
	// +required
	// +kubebuilder:validation:XValidation:rule="self.sessionName == oldSelf.sessionName && self.decision == oldSelf.decision && has(self.reason) == has(oldSelf.reason) && (!has(self.reason) || self.reason == oldSelf.reason) && has(self.requestHash) == has(oldSelf.requestHash) && (!has(self.requestHash) || self.requestHash == oldSelf.requestHash) && has(self.sessionUID) == has(oldSelf.sessionUID) && (!has(self.sessionUID) || self.sessionUID == oldSelf.sessionUID) && has(self.approver) == has(oldSelf.approver) && (!has(self.approver) || self.approver == oldSelf.approver) && has(self.ttl) == has(oldSelf.ttl) && (!has(self.ttl) || duration(self.ttl) == duration(oldSelf.ttl))",message="an approval is immutable: delete it, and create another"
	Spec DebugApprovalSpec `json:"spec"`

	// status tells whether it counts.
	// +optional
	Status DebugApprovalStatus `json:"status,omitzero"`
}

// DebugApprovalList is a list of DebugApprovals.
// +kubebuilder:object:root=true
type DebugApprovalList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []DebugApproval `json:"items"`
}

// DebugApprovalSpec is what is decided, by whom, on what.
type DebugApprovalSpec struct {
	// sessionName is the session, in the approval's namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	SessionName string `json:"sessionName"`

	// decision is Approve or Deny. Deny is final: it ends the session.
	// +required
	Decision Decision `json:"decision"`

	// reason is why, for whoever reads the record. At most 1,024 characters.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`

	// requestHash stands for what exactly is approved: the session's status.request.hash. Stamped at creation. If you write it yourself, as a
	// reviewed commit may, the approval is refused unless the session still asks for just that. How long is not in it: write
	// ttl, too. A class with approval.requireRequestHash refuses an approval that does not write it.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	RequestHash string `json:"requestHash,omitempty"`

	// sessionUID is the session's UID, stamped at creation. Another session of that name is not approved by this.
	// +optional
	SessionUID types.UID `json:"sessionUID,omitempty"`

	// ttl is the ttl the session asked for, stamped at creation. A longer one needs another approval; a shorter one does not. If you
	// write it yourself, the approval is refused unless the session asks for just that long: a duration such as 90s, 30m or
	// 1h30m.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') && self != ''",message="ttl must be a duration such as 90s, 30m or 1h30m"
	TTL *metav1.Duration `json:"ttl,omitempty"`

	// approver is who decided, stamped at creation from the identity that the API server saw. A manifest that names somebody else is
	// refused.
	// +optional
	Approver *Identity `json:"approver,omitempty"`
}

// Decision is yes or no.
// +kubebuilder:validation:Enum=Approve;Deny
type Decision string

// The decisions.
const (
	DecisionApprove Decision = "Approve"
	DecisionDeny    Decision = "Deny"
)

// Identity is who somebody was, as the API server saw it. It is stamped at admission and never taken from a manifest.
type Identity struct {
	// username is the user's name.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Username string `json:"username"`

	// uid is the user's UID, if the authenticator gives one.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	UID string `json:"uid,omitempty"`

	// groups are the user's groups.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:MaxLength=1024
	Groups []string `json:"groups,omitempty"`

	// extra is what else the authenticator said of the user, such as the scopes of a token. At most 64 keys.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Extra map[string]ExtraValue `json:"extra,omitempty"`

	// seal is the proof that the operator's admission wrote this, for what it wrote it. Without it nothing is done.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Seal string `json:"seal,omitempty"`
}

// ExtraValue is what an authenticator said of a user under one key: at most 64 values of 4,096 characters.
// +listType=atomic
// +kubebuilder:validation:MaxItems=64
// +kubebuilder:validation:items:MaxLength=4096
type ExtraValue []string

// DebugApprovalStatus is whether an approval counts.
type DebugApprovalStatus struct {
	// conditions has Counted: True if the approval counts, or counted, for the session that its spec names by UID. False, with the
	// reason and what to do, if not.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
