// Package notify tells DebugSinks of sessions: by CloudEvents, or by what a sink's template makes of a message.
//
// There is no queue on a disk. What there is to tell of a session follows from its status, and what a sink has been told is written
// there (status.notifications), so that an operator that starts goes on where another one stopped. A message is sent before that is
// written, and sent again with the same ID if it is not known to be: at least once.
//
// Each sink has a worker of its own with a queue of sessions, each of them in it once: memory follows the sessions, however long
// the sink does not answer, and no sink waits for another. After a failure one message at a time is tried, with growing pauses.
//
// What is of no session, refusals and tampering, is held in memory alone, in bounds, and is lost with the process. The leader
// tells of sessions and of tampering. A refusal is known to no replica but the one that has refused, so that one tells of it.
package notify

// The one Secret is read by its name, and only for a sink that names a key of it.
//
// +kubebuilder:rbac:groups=debugsession.dev,resources=debugsinks,verbs=get;list;watch
// +kubebuilder:rbac:groups=debugsession.dev,resources=debugsinks/status,verbs=patch
// +kubebuilder:rbac:groups=debugsession.dev,resources=debugsessions,verbs=get;list;watch
// +kubebuilder:rbac:groups=debugsession.dev,resources=debugsessions/status,verbs=patch
// +kubebuilder:rbac:groups="",namespace=debugsession-system,resources=secrets,resourceNames=debugsession-sinks,verbs=get
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
