package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DebugSink is an HTTP endpoint that is told of sessions: that one waits for approval, was approved or denied, runs, is about to
// end, has ended, and what admission has refused. Administrators write sinks; no session names one, and nothing of a session gets
// into where a message goes or into its headers.
//
// A sink is told at least once of each, in order for each session, and what it has been told is in the session's
// status.notifications. A sink that does not answer holds up nothing: neither sessions nor other sinks. At most 32 sinks are served,
// the oldest.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=dbgsink,categories=debug
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Delivering",type=string,JSONPath=`.status.conditions[?(@.type=="Delivering")].status`
// +kubebuilder:printcolumn:name="Types",type=string,JSONPath=`.spec.types`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Why",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Delivering")].message`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="a sink's name must have at most 63 characters: it is recorded in the status of sessions"
type DebugSink struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the object's name, namespace, labels and so on.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is where messages go, which, and how they look.
	// +required
	Spec DebugSinkSpec `json:"spec"`

	// status tells whether they get there.
	// +optional
	Status DebugSinkStatus `json:"status,omitzero"`
}

// DebugSinkList is a list of DebugSinks.
// +kubebuilder:object:root=true
type DebugSinkList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []DebugSink `json:"items"`
}

// DebugSinkSpec is where messages go, which, and how they look.
//
// +kubebuilder:validation:XValidation:rule="has(self.url) != has(self.urlKey)",message="set exactly one of url, and urlKey for an address that is itself a secret"
// +kubebuilder:validation:XValidation:rule="!has(self.url) || self.url.startsWith('https://') || (has(self.allowHTTP) && self.allowHTTP)",message="url must begin with https://, or set allowHTTP: true: messages can then be read and changed in transit",fieldPath=".url"
// +kubebuilder:validation:XValidation:rule="!has(self.template) || !has(self.cloudEvents)",message="a template replaces the CloudEvent: remove template or cloudEvents",fieldPath=".template"
type DebugSinkSpec struct {
	// url is the address that messages are posted to. Redirects are not followed.
	// +optional
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && self.matches('^https?://[^/@]+(/.*)?$')",message="url must be an http:// or https:// address without a user and a password; those go into headers"
	URL string `json:"url,omitempty"`

	// urlKey is the key of the Secret debugsession-sinks, in the operator's namespace, that holds the address: that of an incoming webhook of
	// Slack or Teams is a secret itself.
	// +optional
	URLKey SecretKey `json:"urlKey,omitempty"`

	// allowHTTP tells whether the address may begin with http://. What is sent can then be read and changed on its way.
	// +optional
	AllowHTTP bool `json:"allowHTTP,omitempty"`

	// cloudEvents is how a CloudEvent is sent: Structured (the default), all of it in the body, or Binary, its attributes in headers and its data in the
	// body. A signature covers the body: of a binary one the data alone.
	// +optional
	CloudEvents CloudEventsMode `json:"cloudEvents,omitempty"`

	// template is the body of a message, instead of a CloudEvent.
	// +optional
	Template *SinkTemplate `json:"template,omitempty"`

	// types say what the sink is told of. Left out: all. Emergency and ReviewOverdue are told in any case: see namespaceSelector and classes, too.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Types []NotificationType `json:"types,omitempty"`

	// namespaceSelector selects the namespaces whose sessions it is told of, by their labels. Left out: all. Tampered, Emergency and ReviewOverdue are told in any case.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`

	// classes are the classes whose sessions it is told of. Left out: all. Tampered, Emergency and ReviewOverdue are told in any case. At most 64.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Classes []string `json:"classes,omitempty"`

	// cluster is the cluster's name, as messages tell it: for a sink that is told of several clusters.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`
	Cluster string `json:"cluster,omitempty"`

	// headers are sent along, such as Authorization. At most 16.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Headers []SinkHeader `json:"headers,omitempty"`

	// signatureKey is the key of the Secret debugsession-sinks that holds what messages are signed with, as Standard Webhooks does: the headers
	// webhook-id, webhook-timestamp and webhook-signature, the last with an HMAC-SHA256 of all three parts of the message. Left
	// out: they are not signed.
	// +optional
	SignatureKey SecretKey `json:"signatureKey,omitempty"`

	// caBundle has the certificates that the endpoint's certificate may be issued by, in PEM: at most 64 KiB. Left out: those that the operator's
	// image has.
	// +optional
	// +kubebuilder:validation:MaxLength=65536
	CABundle string `json:"caBundle,omitempty"`

	// timeout is how long one try may take, from 1s to 30s; 10s if left out.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}m)?([0-9]{1,6}s)?$') && self != '' && duration(self) >= duration('1s') && duration(self) <= duration('30s')",message="timeout must be a duration from 1s to 30s"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// SecretKey is a key of the Secret debugsession-sinks in the operator's namespace: the one Secret that the operator may read for sinks.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
type SecretKey string

// CloudEventsMode is how a CloudEvent is sent over HTTP.
// +kubebuilder:validation:Enum=Structured;Binary
type CloudEventsMode string

// The modes of CloudEvents.
const (
	CloudEventsStructured CloudEventsMode = "Structured"
	CloudEventsBinary     CloudEventsMode = "Binary"
)

// SinkTemplate makes the body of a message.
type SinkTemplate struct {
	// body is a template of Go's text/template over the message; docs/notifications.md has its fields. The function json makes a JSON value of
	// anything, quoted: {"text": {{ json .Text }}}. The function secret returns a key of the Secret debugsession-sinks. It may define no
	// templates, and nest no more than two loops; what comes out may have 64 KiB. At most 32 KiB.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32768
	Body string `json:"body"`

	// contentType is the media type of what comes out; application/json if left out. Of that type it must be valid JSON, or it is not sent.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[a-z]+/[a-zA-Z0-9.+-]+(; ?charset=[a-zA-Z0-9-]+)?$`
	ContentType string `json:"contentType,omitempty"`
}

// SinkHeader is a header that is sent with each message.
//
// +kubebuilder:validation:XValidation:rule="has(self.value) != has(self.valueKey)",message="set exactly one of value and valueKey"
type SinkHeader struct {
	// name is the header's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9-]+$`
	// +kubebuilder:validation:XValidation:rule="!(self.lowerAscii() in ['host', 'content-length', 'content-type', 'transfer-encoding', 'connection']) && !self.lowerAscii().startsWith('ce-') && !self.lowerAscii().startsWith('webhook-')",message="this header is set by the operator: choose another"
	Name string `json:"name"`

	// value is the header's value.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	// +kubebuilder:validation:Pattern=`^[ -~]+$`
	Value string `json:"value,omitempty"`

	// valueKey is the key of the Secret debugsession-sinks that holds the value.
	// +optional
	ValueKey SecretKey `json:"valueKey,omitempty"`
}

// NotificationType is what a message tells.
// +kubebuilder:validation:Enum=AwaitingApproval;Approved;Denied;Active;AboutToEnd;Ended;Refused;Tampered;Emergency;ReviewOverdue
type NotificationType string

// What messages tell.
const (
	NotifyAwaitingApproval NotificationType = "AwaitingApproval" // a session waits for approval, or one that runs for that of a longer ttl
	NotifyApproved         NotificationType = "Approved"         // it has its approvals
	NotifyDenied           NotificationType = "Denied"           // somebody who may approve it said no
	NotifyActive           NotificationType = "Active"           // its debugger runs
	NotifyAboutToEnd       NotificationType = "AboutToEnd"       // its time is nearly up
	NotifyEnded            NotificationType = "Ended"            // it is over, however it came to that
	NotifyRefused          NotificationType = "Refused"          // admission let a session or an approval not in
	NotifyTampered         NotificationType = "Tampered"         // the webhooks, or the policy beside them, were changed or deleted
	NotifyEmergency        NotificationType = "Emergency"        // a session has started before its approval; every sink is told
	NotifyReviewOverdue    NotificationType = "ReviewOverdue"    // and was not reviewed in time, again each day; every sink is told
)

// DebugSinkStatus is whether messages get to a sink.
type DebugSinkStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions has Ready: whether the sink can be used as it is written: its template makes valid bodies, and the Secret has its keys.
	// Delivering: False, with the reason, while what is sent does not get there. It is tried again and again.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// SinkSecretName is the Secret, in the operator's namespace, that holds what sinks keep secret.
const SinkSecretName = "debugsession-sinks"

// ConditionDelivering is a DebugSink's condition: whether what is sent gets there.
const ConditionDelivering = "Delivering"

// Reasons of a DebugSink's conditions, and of events on it.
const (
	ReasonValid          = "Valid"          // it can be used
	ReasonSecretNotFound = "SecretNotFound" // the Secret, or a key of it, is missing
	ReasonTooMany        = "TooMany"        // more sinks than are served
	ReasonDelivering     = "Delivering"     // what was sent last has arrived
	ReasonNotDelivered   = "NotDelivered"   // what was sent last has not
)
