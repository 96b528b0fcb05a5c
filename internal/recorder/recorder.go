// Package recorder has the audit record of each session that is over logged, and stored where the operator has an audit store.
//
// What there is to store follows from the sessions: those that have ended and do not say in status.audit where their record is, and
// those that stay Ending for it. So nothing is lost with the process but what was deleted before, which no class that requires a
// record lets happen. A store that does not answer holds up nothing but the sessions that require it.
package recorder

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/auditstore"
	"debugsession.dev/operator/internal/kube/sessioninformer"
	"debugsession.dev/operator/internal/plan"
	"debugsession.dev/operator/internal/retry"
	"debugsession.dev/operator/internal/sessionstatus"
)

// +kubebuilder:rbac:groups=debugsession.dev,resources=debugsessions,verbs=get;list;watch
// +kubebuilder:rbac:groups=debugsession.dev,resources=debugsessions/status,verbs=patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

const (
	// slots is how many records are written at once.
	slots = 4

	// tryTimeout is how long one try may take.
	tryTimeout = 30 * time.Second

	// approvalTries is how often a record waits for a cache of approvals. What is missing without them is what approvers wrote: that
	// they approved is in the session's status.
	approvalTries = 4

	// maxGone is how many sessions are kept that were deleted before their record was stored.
	maxGone = 256

	fieldOwner = client.FieldOwner("debugsession-audit")

	// failedForOthers is what a session is told whose own record was not tried yet. The store's words may name other sessions.
	failedForOthers = "it failed for other records; see the operator's log"
)

// Recorder stores records. The leader runs one.
type Recorder struct {
	// Cluster is what records call the cluster; may be empty.
	Cluster string
	// Chain is where records are stored; nil if there is no store.
	Chain *auditstore.Chain
	// Client reads from the cache, and writes.
	Client client.Client
	// Cache is where sessions are watched.
	Cache cache.Cache
	// Transcripts makes those that records name; nil if there is no store.
	Transcripts Transcripts
	// Collector collects the files that sessions keep; nil if there is no store.
	Collector Collector
	// Approvals lists the approvals that name a session, from a cache.
	Approvals func(ctx context.Context, session *v1alpha1.DebugSession) ([]v1alpha1.DebugApproval, error)
	// Enqueue has a session looked at.
	Enqueue func(types.NamespacedName)
	// Events tell of a session that its record could not be stored.
	Events events.EventRecorder
	// Metrics count.
	Metrics *Metrics
	// Clock says what time it is.
	Clock clock.PassiveClock

	health *retry.Health
	queue  workqueue.TypedRateLimitingInterface[types.UID]

	mu      sync.Mutex
	entries map[types.UID]*entry
	gone    int // of the entries those whose session was deleted
	stored  int // and those that are done
}

// Collector is what the recorder needs of internal/collector.
type Collector interface {
	// State is what is known of the files of a session.
	State(session *v1alpha1.DebugSession) plan.ArtifactsState
}

// Transcripts is what the recorder needs of internal/transcriber.
type Transcripts interface {
	// State is what is known of the transcript of a session, which may be gone: deleted.
	State(session *v1alpha1.DebugSession, gone bool) plan.TranscriptState
	// Forget ends what is done for it.
	Forget(uid types.UID)
}

// entry is a session whose record is to be stored, or was and the session does not say so yet.
type entry struct {
	session *v1alpha1.DebugSession // not changed by anybody
	waits   bool                   // it is Ending until its record is stored
	gone    bool                   // it was deleted
	stored  *v1alpha1.AuditStatus
	failure string
}

// done reports whether all that there is to store is stored.
func (e *entry) done() bool { return allStored(e.session, e.stored) }

// allStored reports whether the record of a session is stored, and that of its review if it was reviewed after its end.
func allStored(session *v1alpha1.DebugSession, stored *v1alpha1.AuditStatus) bool {
	return stored != nil && (stored.ReviewKey != "" || !audit.ReviewedLate(session))
}

// Prepare makes the recorder ready to be used, before the manager starts.
func (r *Recorder) Prepare() {
	r.entries = map[types.UID]*entry{}
	r.health = retry.NewHealth(func(now retry.Verdict) {
		if now.Dead {
			r.Metrics.dead.Set(1)
			r.tellWaiting()
		} else {
			r.Metrics.dead.Set(0)
		}
	})
	r.queue = workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[types.UID](retry.FirstPause, retry.LastPause))
}

// HasStore reports whether records are stored.
func (r *Recorder) HasStore() bool { return r.Chain != nil }

// Log writes the record of a session that has ended into the log, whole.
func (r *Recorder) Log(ctx context.Context, session *v1alpha1.DebugSession) {
	record, err := r.record(ctx, session)
	if err != nil {
		log.FromContext(ctx).Error(err, "cannot include the approvals in the audit record")
	}
	log.FromContext(ctx).Info("audit record", "record", record)
}

// record is made with what can be read: an approval's reason is not worth a record.
func (r *Recorder) record(ctx context.Context, session *v1alpha1.DebugSession) (*audit.Record, error) {
	approvals, err := r.Approvals(ctx, session)
	return audit.OfSession(r.Cluster, session, approvals), err
}

// State is what is known of a session's record.
func (r *Recorder) State(session *v1alpha1.DebugSession) plan.RecordState {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entries[session.UID]; e != nil {
		return plan.RecordState{Known: true, Stored: e.stored.DeepCopy(), Failure: e.failure}
	}
	return plan.RecordState{}
}

// Transcript is what is known of a session's transcript.
func (r *Recorder) Transcript(session *v1alpha1.DebugSession) plan.TranscriptState {
	if r.Transcripts == nil {
		return plan.TranscriptState{}
	}
	return r.Transcripts.State(session, false)
}

// Artifacts is what is known of the files that a session keeps.
func (r *Recorder) Artifacts(session *v1alpha1.DebugSession) plan.ArtifactsState {
	if r.Collector == nil {
		return plan.ArtifactsState{}
	}
	return r.Collector.State(session)
}

// TranscriptComplete has the record stored that waits for that transcript.
func (r *Recorder) TranscriptComplete(uid types.UID) { r.queue.Add(uid) }

// Store has the record of a session stored that waits for it. It does not wait itself.
func (r *Recorder) Store(session *v1alpha1.DebugSession) {
	if r.HasStore() {
		r.add(session.DeepCopy(), true, false)
	}
}

// Pending reports whether the record of a session that has ended is still to be stored, and said to be in its status.
func (r *Recorder) Pending(session *v1alpha1.DebugSession) bool {
	return r.HasStore() && !allStored(session, session.Status.Audit)
}

func (r *Recorder) add(session *v1alpha1.DebugSession, waits, gone bool) {
	r.mu.Lock()
	e := r.entries[session.UID]
	if e != nil {
		e.waits = waits && !gone
		if audit.ReviewedLate(session) {
			r.change(e, func() { e.session = session })
		}
	}
	if e == nil && gone && r.gone >= maxGone {
		r.mu.Unlock()
		r.Metrics.records.WithLabelValues(resultDropped).Inc()
		r.forgetTranscript(session.UID)
		return
	}
	if e == nil {
		e = &entry{session: session, waits: waits, stored: session.Status.Audit.DeepCopy()}
		r.entries[session.UID] = e
	}
	if gone && !e.gone {
		r.change(e, func() { e.gone, e.session = true, session })
		r.gone++
	}
	r.count()
	r.mu.Unlock()
	r.queue.Add(session.UID)
	if waits && r.health.Verdict().Dead {
		r.tellWaiting()
	}
}

// change changes an entry, with the lock held.
func (r *Recorder) change(e *entry, how func()) {
	before := e.done()
	how()
	switch now := e.done(); {
	case now && !before:
		r.stored++
	case before && !now:
		r.stored--
	}
}

// tellWaiting has sessions say that the store fails whose record has many before it: while it fails, one is tried at a time.
func (r *Recorder) tellWaiting() {
	var told []types.NamespacedName
	r.mu.Lock()
	for _, e := range r.entries {
		if e.waits && e.stored == nil && e.failure == "" {
			e.failure = failedForOthers
			told = append(told, client.ObjectKeyFromObject(e.session))
		}
	}
	r.mu.Unlock()
	for _, name := range told {
		r.Enqueue(name)
	}
}

func (r *Recorder) forgetTranscript(uid types.UID) {
	if r.Transcripts != nil {
		r.Transcripts.Forget(uid)
	}
}

func (r *Recorder) forget(uid types.UID) {
	r.forgetTranscript(uid)
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entries[uid]; e != nil {
		if e.gone {
			r.gone--
		}
		if e.done() {
			r.stored--
		}
	}
	delete(r.entries, uid)
	r.count()
}

// count is called with the lock held.
func (r *Recorder) count() { r.Metrics.pending.Set(float64(len(r.entries) - r.stored)) }

// NeedLeaderElection keeps the other replicas out.
func (r *Recorder) NeedLeaderElection() bool { return true }

// Start looks at each session, and then at each that changes, and stores what is to be stored.
func (r *Recorder) Start(ctx context.Context) error {
	if !r.HasStore() {
		return nil
	}
	err := sessioninformer.Follow(ctx, r.Cache, r.look, r.lost, func() {
		ctx := log.IntoContext(ctx, log.FromContext(ctx).WithName("audit"))
		r.catchUp(ctx)
		r.work(ctx)
	})
	if err != nil {
		return fmt.Errorf("watching sessions to store their records: %w", err)
	}
	return nil
}

// catchUp has written what an operator before this one has begun to. If it fails, it is tried again before the first record.
func (r *Recorder) catchUp(ctx context.Context) {
	trying, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	if err := r.Chain.Ready(trying); err != nil && ctx.Err() == nil {
		log.FromContext(ctx).Error(err, "the audit store does not respond, retrying with the next record")
	}
}

// look sees whether a session's record is to be stored.
func (r *Recorder) look(session *v1alpha1.DebugSession) {
	switch {
	case plan.Condensed(session), allStored(session, session.Status.Audit):
		r.forget(session.UID)
	case session.Status.Phase == v1alpha1.PhaseEnded:
		r.add(session, false, false)
	}
}

// lost stores the record of a session that was deleted before it was.
func (r *Recorder) lost(session *v1alpha1.DebugSession) {
	r.mu.Lock()
	e := r.entries[session.UID]
	done := plan.Condensed(session) || allStored(session, session.Status.Audit) || e != nil && allStored(session, e.stored)
	r.mu.Unlock()
	if done {
		r.forget(session.UID)
		return
	}
	r.add(session, false, true)
}

// work works until the context ends.
func (r *Recorder) work(ctx context.Context) { retry.Work(ctx, r.queue, r.health, slots, r.handle) }

func (r *Recorder) handle(ctx context.Context, uid types.UID) {
	r.mu.Lock()
	e := r.entries[uid]
	if e == nil {
		r.mu.Unlock()
		r.queue.Forget(uid)
		return
	}
	now := *e
	r.mu.Unlock()
	if r.awaitsTranscript(&now) {
		r.queue.Forget(uid)
		return // it is told when that is complete
	}
	if err := r.store(ctx, uid, &now); err != nil {
		if ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "cannot store the audit record, retrying", "session", client.ObjectKeyFromObject(now.session), "uid", uid)
			r.queue.AddRateLimited(uid)
		}
		return
	}
	r.queue.Forget(uid)
}

// awaitsTranscript reports whether a record has to wait for the transcript that it names. That of a session that waits itself is in its
// status before it asks for the record.
func (r *Recorder) awaitsTranscript(e *entry) bool {
	status := &e.session.Status
	if r.Transcripts == nil || e.stored != nil || status.Transcript != nil || !status.LeavesTranscript() {
		return false
	}
	state := r.Transcripts.State(e.session, e.gone)
	if state.Stored == nil {
		return true
	}
	e.session = e.session.DeepCopy()
	e.session.Status.Transcript = state.Stored
	return false
}

// store stores what there is to store of a session, and has it say so.
func (r *Recorder) store(ctx context.Context, uid types.UID, e *entry) error {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	if err := r.storeRecords(ctx, uid, e); err != nil {
		return err
	}
	r.mu.Lock()
	if kept := r.entries[uid]; kept != nil {
		r.change(kept, func() { kept.stored = e.stored })
		kept.failure = ""
		if transcript := e.session.Status.Transcript; transcript != nil && kept.session.Status.Transcript == nil {
			kept.session = kept.session.DeepCopy()
			kept.session.Status.Transcript = transcript
		}
		e.waits, e.gone = kept.waits, kept.gone
	}
	r.count()
	r.mu.Unlock()
	switch {
	case e.gone:
		r.forget(uid)
		return nil
	case e.waits:
		r.Enqueue(client.ObjectKeyFromObject(e.session))
		return nil
	default:
		return r.say(ctx, e)
	}
}

// storeRecords stores the session's record, and that of its review if that came after its end.
func (r *Recorder) storeRecords(ctx context.Context, uid types.UID, e *entry) error {
	if e.stored == nil {
		put, err := r.put(ctx, uid, e, func(approvals []v1alpha1.DebugApproval) *audit.Record {
			return audit.OfSession(r.Cluster, e.session, approvals)
		})
		if err != nil {
			return err
		}
		e.stored = &v1alpha1.AuditStatus{Key: put.Key, SHA256: put.SHA256}
	}
	if e.done() {
		return nil
	}
	put, err := r.put(ctx, uid, e, func(approvals []v1alpha1.DebugApproval) *audit.Record {
		return audit.OfReview(r.Cluster, e.session, audit.Reference{Key: e.stored.Key, SHA256: e.stored.SHA256}, approvals)
	})
	if err != nil {
		return err
	}
	e.stored = e.stored.DeepCopy()
	e.stored.ReviewKey, e.stored.ReviewSHA256 = put.Key, put.SHA256
	return nil
}

func (r *Recorder) put(ctx context.Context, uid types.UID, e *entry, record func([]v1alpha1.DebugApproval) *audit.Record) (auditstore.Stored, error) {
	approvals, err := r.Approvals(ctx, e.session)
	if err != nil && r.queue.NumRequeues(uid) < approvalTries {
		return auditstore.Stored{}, err
	}
	stored, err := r.Chain.Put(ctx, record(approvals), r.Clock.Now())
	r.tried(ctx, uid, e, err)
	return stored, err
}

// tried notes how a try went. What a store says of its failure may be other words each time: a session says the first.
func (r *Recorder) tried(ctx context.Context, uid types.UID, e *entry, err error) {
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return // the operator ends: that is not the store's fault
	}
	r.counted(err)
	if err == nil {
		return
	}
	r.mu.Lock()
	kept := r.entries[uid]
	first := kept != nil && (kept.failure == "" || kept.failure == failedForOthers)
	if first {
		kept.failure = err.Error()
	}
	r.mu.Unlock()
	switch {
	case !first:
	case e.waits:
		r.Enqueue(client.ObjectKeyFromObject(e.session))
	case !e.gone:
		r.sayNotStored(ctx, e, err)
	}
}

// sayNotStored has a session that has ended, and waits for nothing, say that its record could not be stored: once, until it is. Of its
// review's record an event tells alone: the condition is the planner's where its own record is required.
func (r *Recorder) sayNotStored(ctx context.Context, e *entry, cause error) {
	if e.stored != nil {
		r.Events.Eventf(e.session, nil, corev1.EventTypeWarning, v1alpha1.ReasonNotRecorded, "Record", "%s", plan.ReviewNotStored(cause.Error()))
		return
	}
	if said := meta.FindStatusCondition(e.session.Status.Conditions, v1alpha1.ConditionRecorded); said != nil && said.Reason == v1alpha1.ReasonNotRecorded {
		return // an operator before this one has
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryTimeout) // the store may have used up all of the try's time
	defer cancel()
	message := plan.NotStored(cause.Error())
	err := r.apply(ctx, e.session, map[string]any{"conditions": []metav1.Condition{{
		Type: v1alpha1.ConditionRecorded, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNotRecorded, Message: message,
		ObservedGeneration: e.session.Generation, LastTransitionTime: metav1.NewTime(r.Clock.Now().Truncate(time.Second)),
	}}})
	if err != nil {
		log.FromContext(ctx).Error(err, "cannot report in the session's status that its audit record is not stored", "session", client.ObjectKeyFromObject(e.session))
		return
	}
	r.Events.Eventf(e.session, nil, corev1.EventTypeWarning, v1alpha1.ReasonNotRecorded, "Record", "%s", message)
}

// counted counts a try.
func (r *Recorder) counted(err error) {
	r.health.Count(err)
	if err == nil {
		r.Metrics.records.WithLabelValues(resultStored).Inc()
	} else {
		r.Metrics.records.WithLabelValues(resultFailed).Inc()
	}
}

// say writes where the record is into the status of a session that has ended. What was said of a failure goes with it.
func (r *Recorder) say(ctx context.Context, e *entry) error {
	status := map[string]any{"audit": e.stored}
	if e.session.Status.Transcript != nil {
		status["transcript"] = e.session.Status.Transcript
	}
	return r.apply(ctx, e.session, status)
}

// apply has a session's status say that and nothing else of what the recorder has said before.
func (r *Recorder) apply(ctx context.Context, session *v1alpha1.DebugSession, status map[string]any) error {
	err := sessionstatus.Apply(ctx, r.Client, session, fieldOwner, status)
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // it was deleted, or is another of its name
		return nil
	}
	return err
}
