package v1alpha1

// Names on objects. All of them begin with the group's prefix.
const (
	// LabelSessionUID is set on every pod that the operator makes, to the UID of the session it was made for. It selects
	// what the operator caches. It proves nothing: the controller owner reference does.
	LabelSessionUID = "debugsession.dev/session-uid"

	// AnnotationSession is set on every pod that the operator makes, to the name of its session. It is an annotation
	// because a session's name may be longer than a label's value.
	AnnotationSession = "debugsession.dev/session"

	// AnnotationCopyOf is set on a copy, to the name of the pod it was copied from.
	AnnotationCopyOf = "debugsession.dev/copy-of"

	// AnnotationChangedBy is set on a session by the operator's admission when its ttl or end is changed: who did it, in JSON, with a
	// seal. What counts is in status.changes.
	AnnotationChangedBy = "debugsession.dev/changed-by"

	// AnnotationDefaultClass, set to "true" on a DebugClass, makes it the one that sessions get which name none.
	AnnotationDefaultClass = "debugsession.dev/is-default-class"

	// Finalizer keeps a session until its debugger is gone. It is added before anything is made, and removed as soon as
	// the session has ended, so that an ended session can always be deleted, also when the operator is not there.
	Finalizer = "debugsession.dev/teardown"
)

// ConditionCounted is a DebugApproval's condition: whether it counts.
const ConditionCounted = "Counted"

// ConditionReviewOverdue is a DebugClass's condition: True while sessions of it that started before their approval have not been
// reviewed in time.
const ConditionReviewOverdue = "ReviewOverdue"

// Condition types of a DebugSession. The operator sets all of them, and nothing else does.
const (
	// ConditionAdmissible is True when the session may run as it is written: its target exists and can be debugged.
	// It is False, with the reason, when it may not, or may not yet.
	ConditionAdmissible = "Admissible"

	// ConditionApproved is True when as many people as its class asks for have approved the session as it is. It is
	// absent if none are asked for, and Unknown while the approvals cannot be read.
	ConditionApproved = "Approved"

	// ConditionReviewed is there for sessions that started before their approval, as an emergency. It is False while their review is
	// awaited or overdue, and True when they were reviewed: its reason is Acknowledged or DeniedInReview. It goes on after the end.
	ConditionReviewed = "Reviewed"

	// ConditionDebuggerReady is True while the debugger's container runs, so that one can attach to it.
	ConditionDebuggerReady = "DebuggerReady"

	// ConditionAttachable is True while one can attach: the session is Active, its debugger runs, access was given, and the
	// command in status.attach connects. For a debugger without stdin that command shows its output. It is False, with the
	// reason, before and after, and if the class gives no access that the command takes.
	ConditionAttachable = "Attachable"

	// ConditionEnded is True when the session is over and will never run again. Its reason is the outcome. While the
	// session is being ended it is False and its reason is the outcome to come.
	ConditionEnded = "Ended"

	// ConditionRecorded is there for sessions whose class requires an audit record, once they are over. It is False, with the reason,
	// while the session stays Ending for its record, and True when that is stored. Of other sessions it is there, and False, only while
	// their record could not be stored.
	ConditionRecorded = "Recorded"

	// ConditionReady, ConditionReconciling and ConditionStalled are what kstatus reads (Flux, Argo CD, kpt, kubectl wait).
	// Ready is True for an active session, for one that is armed, and for one that ran and ended. Reconciling is True while something is
	// awaited. Stalled is True for a session that ended without having been able to run. A session says at most one.
	ConditionReady       = "Ready"
	ConditionReconciling = "Reconciling"
	ConditionStalled     = "Stalled"
)

// What a warning begins with that tells what would become of a session, for a dry run; and of one that would not run.
const (
	DryRunWarning = "dry run: "
	DryRunEnds    = "the session would end as "
)

// MessageStarting is the message of DebuggerReady while nothing is known to hold the debugger up.
const MessageStarting = "creating the debugger"

// Reasons of conditions and events. The outcomes (see Outcome) are reasons too.
const (
	ReasonAdmitted = "Admitted" // the target was found fit and was recorded

	// Of a session with target.when.
	ReasonArmed        = "Armed"        // it waits for its trigger; Admissible is True
	ReasonTriggered    = "Triggered"    // an event: a pod did what the session waits for
	ReasonNotTriggered = "NotTriggered" // notAfter has passed, and no pod did

	// Why a session may not run, or not yet: reasons of Admissible=False.
	ReasonTargetNotFound       = "TargetNotFound"       // no pod of that name; waited for
	ReasonTargetChosen         = "TargetChosen"         // one of several pods was chosen, and is looked at next
	ReasonTargetNotPlaced      = "TargetNotPlaced"      // the pod is on no node yet; waited for
	ReasonTargetNotStarted     = "TargetNotStarted"     // the target's container has never run: its image, or an init container, is awaited
	ReasonTargetNotRunning     = "TargetNotRunning"     // the target's container ended, and is to be started again; waited for
	ReasonTargetFinished       = "TargetFinished"       // the pod, or the target's container, has finished for good
	ReasonTargetRestarted      = "TargetRestarted"      // the target's container ended, and the debugger with it
	ReasonTargetTerminating    = "TargetTerminating"    // the pod is being deleted
	ReasonTooManyPods          = "TooManyPods"          // of a session with target.all: more pods than it may debug
	ReasonTargetChanged        = "TargetChanged"        // the pod is not any more what approvers were shown
	ReasonTargetHasNodeNetwork = "TargetHasNodeNetwork" // a pod with hostNetwork, whose network is not its own
	ReasonTargetIsMirrorPod    = "TargetIsMirrorPod"    // a static pod: the kubelet's file is its source
	ReasonTargetIsDebugger     = "TargetIsDebugger"     // the pod was made for another session
	ReasonContainerNotFound    = "ContainerNotFound"    // the pod has no such container
	ReasonClaimNotBound        = "ClaimNotBound"        // the PersistentVolumeClaim has no volume; waited for
	ReasonClaimInUse           = "ClaimInUse"           // a pod mounts the PersistentVolumeClaim, and no other can
	ReasonVolumeNotFound       = "VolumeNotFound"       // a volumeMount names a volume that the pod does not have
	ReasonNameTaken            = "NameTaken"            // the copy's name belongs to another pod
	ReasonInvalid              = "Invalid"              // the debugger cannot be built as written
	ReasonRefused              = "Refused"              // the API server refused it: PodSecurity, quota, a webhook, RBAC

	ReasonNotTrusted       = "NotTrusted"    // it was not admitted by the operator's webhook
	ReasonClassNotFound    = "ClassNotFound" // no class of that name; waited for
	ReasonClassForbids     = "ClassForbids"  // the class does not allow it
	ReasonUseForbidden     = "UseForbidden"  // the requester may not use the class
	ReasonLimitReached     = "LimitReached"  // as many sessions run as the class allows; waited for
	ReasonNoAuditStore     = "NoAuditStore"  // an audit record is required, or files are to be kept, and the operator has no store for that; waited for. Of a class: its sessions are
	ReasonAwaitingApproval = "AwaitingApproval"
	ReasonUnreadable       = "Unreadable"    // something that decides could not be read; tried again
	ReasonOperatorFault    = "OperatorFault" // the operator could not build the debugger, and the session is not to blame; tried again

	// Whether the audit record is stored: reasons of Recorded.
	ReasonRecording     = "Recording"     // it is on its way
	ReasonNotRecorded   = "NotRecorded"   // it could not be stored; tried again
	ReasonArtifactsKept = "ArtifactsKept" // all files that the session was to keep are stored
	ReasonArtifactsLost = "ArtifactsLost" // not all of them are
	ReasonRecorded      = "Recorded"      // it is stored

	// Where the review of an emergency stands: reasons of Reviewed, and of events.
	ReasonEmergency          = "Emergency"          // an event, and a reason of Approved: it started before its approval
	ReasonEmergencyForbidden = "EmergencyForbidden" // the requester may not start it before its approval
	ReasonAwaitingReview     = "AwaitingReview"     // it is to be reviewed
	ReasonReviewOverdue      = "ReviewOverdue"      // and was not in time
	ReasonAcknowledged       = "Acknowledged"       // who may approve it approved it afterwards
	ReasonDeniedInReview     = "DeniedInReview"     // or denied it

	// Whether an approval counts: reasons of a DebugApproval's condition Counted.
	ReasonCounted      = "Counted"      // it counts
	ReasonUnbound      = "Unbound"      // it arrived when there was no such session asking for approval
	ReasonOtherSession = "OtherSession" // it was for a session of that name that is gone
	ReasonOtherRequest = "OtherRequest" // the session asks for something else
	ReasonSelfApproval = "SelfApproval" // the class does not let a requester approve
	ReasonSessionEnded = "SessionEnded" // it came when the time to approve was up
	ReasonShorterTTL   = "ShorterTTL"   // it approved a shorter ttl than the session asks for now

	// Where a debugger stands: reasons of DebuggerReady.
	ReasonStarting        = "Starting"
	ReasonRunning         = "Running"
	ReasonNotGranted      = "NotGranted" // the debugger runs, and the class gives no access that would attach to it
	ReasonOtherUser       = "OtherUser"  // an event: the debugger may not look into its target's processes
	ReasonUnschedulable   = "Unschedulable"
	ReasonExited          = "Exited"
	ReasonMembersStarted  = "MembersStarted" // an event: sessions are made for the pods of a session with target.all
	ReasonMembersFailed   = "MembersFailed"  // not all members of a session did what they were for
	ReasonGone            = "Gone"
	ReasonReplaced        = "Replaced" // the target was deleted for its copy
	ReasonNotStarted      = "NotStarted"
	ReasonRescheduled     = "Rescheduled"     // an event: expiresAt was moved
	ReasonIdleTimeout     = "IdleTimeout"     // nobody used the session for too long
	ReasonEndingSoon      = "EndingSoon"      // an event: the session ends as soon as its class wants it to be warned
	ReasonNotExtended     = "NotExtended"     // ttl was raised, and the debugger could not be told
	ReasonNotShortened    = "NotShortened"    // ttl was lowered, and the debugger could not be told: the operator ends it
	ReasonStillRunning    = "StillRunning"    // ended, yet the container runs on
	ReasonUnstoppable     = "Unstoppable"     // ended, yet the container runs on, and nothing but its pod's end can change that
	ReasonRetrying        = "Retrying"        // the API server could not be asked; tried again
	ReasonCountedByBudget = "CountedByBudget" // an event: a disruption budget counts the copy
)
