package recorder

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/retry"
	"debugsession.dev/operator/internal/userlimit"
)

var (
	// Of one user three refusals are recorded as they come, and then a record a minute tells of all that came meanwhile. Of all users
	// together there is no more than one every two seconds, but for the first thirty.
	refusalsOfUser = userlimit.Rate{Burst: 3, Every: time.Minute}
	refusalsOfAll  = userlimit.Rate{Burst: 30, Every: 2 * time.Second}
)

const (
	// maxRefusals is how many refusals are counted on, and how many records of them wait for the store; maxRefusalsOfUser how many
	// of those that are counted on may be of one user, each of another namespace.
	maxRefusals, maxRefusalsOfUser = 256, 8

	// refusalPause is how often those that are counted on are looked at.
	refusalPause = time.Second
)

// Refusals has what admission refuses recorded. Every replica runs one, for nobody else knows of what a replica has refused. Nothing
// here holds up admission.
type Refusals struct {
	records *Recorder
	limits  *userlimit.Limits
	news    chan struct{}
	queue   workqueue.TypedRateLimitingInterface[string]

	mu      sync.Mutex
	counted []*audit.Refusal // no record tells of them yet, the oldest first
	omitted int
	waiting map[string]*audit.Record // on their way to the store, by the refusals' IDs
}

// NewRefusals returns what goes by a recorder's store, after Prepare.
func NewRefusals(records *Recorder) *Refusals {
	return &Refusals{
		records: records, limits: userlimit.New(refusalsOfUser, refusalsOfAll), news: make(chan struct{}, 1), waiting: map[string]*audit.Record{},
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](retry.FirstPause, retry.LastPause)),
	}
}

// Refused counts what was refused to a user.
func (r *Refusals) Refused(namespace string, user audit.User, attempt audit.Attempt) {
	if r.count(namespace, user, attempt) {
		select {
		case r.news <- struct{}{}:
		default:
		}
	}
}

// count reports whether it was the first to be counted.
func (r *Refusals) count(namespace string, user audit.User, attempt audit.Attempt) (first bool) {
	share := userlimit.ShareOf(user.Username)
	r.mu.Lock()
	defer r.mu.Unlock()
	own := 0
	for _, c := range r.counted {
		if c.User.Username == user.Username && c.Namespace == namespace {
			c.Add(attempt)
			return false
		}
		if userlimit.ShareOf(c.User.Username) == share {
			own++
		}
	}
	if own >= maxRefusalsOfUser || len(r.counted) >= maxRefusals {
		r.omitted++
		r.records.Metrics.records.WithLabelValues(resultDropped).Inc()
		return false
	}
	r.counted = append(r.counted, audit.NewRefusal(namespace, user, attempt))
	return true
}

// NeedLeaderElection has every replica record what it has refused.
func (r *Refusals) NeedLeaderElection() bool { return false }

// Start records until the context ends; then what was counted so far is logged.
func (r *Refusals) Start(ctx context.Context) error {
	ctx = log.IntoContext(ctx, log.FromContext(ctx).WithName("audit"))
	var storing sync.WaitGroup
	defer storing.Wait()
	if r.records.HasStore() {
		storing.Go(func() { retry.Work(ctx, r.queue, r.records.health, 1, r.store) })
	}
	for {
		var again <-chan time.Time
		if r.record(ctx, false) {
			again = time.After(refusalPause)
		}
		select {
		case <-ctx.Done():
			r.record(ctx, true)
			return nil
		case <-r.news:
		case <-again:
		}
	}
}

// record has recorded what there is room for, and reports whether something is left.
func (r *Refusals) record(ctx context.Context, all bool) (left bool) {
	now := r.records.Clock.Now()
	var due []*audit.Refusal
	r.mu.Lock()
	r.counted = slices.DeleteFunc(r.counted, func(c *audit.Refusal) bool {
		ok, _ := r.limits.Allow(userlimit.ShareOf(c.User.Username), now)
		if ok || all {
			due = append(due, c)
		}
		return ok || all
	})
	if len(due) > 0 {
		due[0].Omitted, r.omitted = r.omitted, 0
	}
	left = len(r.counted) > 0
	r.mu.Unlock()
	for _, refusal := range due {
		record := audit.OfRefusal(r.records.Cluster, refusal)
		log.FromContext(ctx).Info("audit record", "record", record)
		r.await(record)
	}
	return left
}

// await has a record stored, if there is a store and not too much waits for it.
func (r *Refusals) await(record *audit.Record) {
	if !r.records.HasStore() {
		return
	}
	r.mu.Lock()
	full := len(r.waiting) >= maxRefusals
	if !full {
		r.waiting[record.Refusal.ID] = record
	}
	r.mu.Unlock()
	if full {
		r.records.Metrics.records.WithLabelValues(resultDropped).Inc()
		return
	}
	r.queue.Add(record.Refusal.ID)
}

// store stores a record. What is begun is ended, also if the operator ends: nobody else would.
func (r *Refusals) store(ctx context.Context, id string) {
	r.mu.Lock()
	record := r.waiting[id]
	r.mu.Unlock()
	trying, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryTimeout)
	defer cancel()
	_, err := r.records.Chain.Put(trying, record, r.records.Clock.Now())
	r.records.counted(err)
	if err != nil {
		if ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "cannot store the audit record, retrying", "refusal", id)
			r.queue.AddRateLimited(id)
		}
		return
	}
	r.queue.Forget(id)
	r.mu.Lock()
	delete(r.waiting, id)
	r.mu.Unlock()
}
