package recorder

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"gocloud.dev/blob/memblob"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/retry"
)

// A session that has to wait says so of a store that fails, though many records are tried before its own.
func TestWhoWaitsIsToldOfAStoreThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		enqueued := map[string]int{}
		r, _, _ := storing(t, deadBucket(t))
		r.Approvals = func(context.Context, *v1alpha1.DebugSession) ([]v1alpha1.DebugApproval, error) { return nil, nil }
		r.Enqueue = func(name types.NamespacedName) { enqueued[name.Name]++ }
		named := func(name string) *v1alpha1.DebugSession {
			session := fixture.Session()
			ended := metav1.NewTime(fixture.Created)
			session.Name, session.UID, session.Status.EndedAt = name, types.UID(name), &ended
			return session
		}
		for i := range 3 * slots {
			r.lost(named(fmt.Sprint("lost-", i)))
		}
		early, late := named("early"), named("late")
		r.Store(early)
		ctx, cancel := context.WithTimeout(t.Context(), 4*retry.FirstPause) // three tries in a row, should the first fail before there is a second
		defer cancel()
		r.work(ctx)
		r.Store(late)
		for _, session := range []*v1alpha1.DebugSession{early, late} {
			if state := r.State(session); state.Failure != failedForOthers || enqueued[session.Name] != 1 {
				t.Errorf("%s: failure %q, looked at %d times", session.Name, state.Failure, enqueued[session.Name])
			}
		}
	})
}

// Approvals that can never be read hold up no record for ever.
func TestRecordIsStoredWithoutApprovals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, store, _ := storing(t, memblob.OpenBucket(nil))
		r.Approvals = func(context.Context, *v1alpha1.DebugSession) ([]v1alpha1.DebugApproval, error) {
			return nil, errors.New("no such kind")
		}
		ended := metav1.NewTime(fixture.Created)
		session := fixture.Session()
		session.Status.Phase, session.Status.EndedAt = v1alpha1.PhaseEnded, &ended
		r.lost(session)
		ctx, cancel := context.WithTimeout(t.Context(), 2*tryTimeout)
		defer cancel()
		r.work(ctx)
		keys, err := store.Keys(t.Context(), audit.Prefix)
		if err != nil || len(keys) != 1 {
			t.Errorf("stored: %v, %v", keys, err)
		}
	})
}

// A review that comes after the end has a record of its own, whether the session's was stored before it or is not yet, and also if the
// session was deleted meanwhile.
func TestLateReviewIsStored(t *testing.T) {
	for name, early := range map[string]bool{"after the record": true, "before the record": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, store, public := storing(t, memblob.OpenBucket(nil))
				r.Approvals = func(context.Context, *v1alpha1.DebugSession) ([]v1alpha1.DebugApproval, error) { return nil, nil }
				ended := metav1.NewTime(fixture.Created)
				session := fixture.Session()
				session.Status.Phase, session.Status.EndedAt = v1alpha1.PhaseEnded, &ended
				if early {
					stored, err := r.Chain.Put(t.Context(), audit.OfSession("", session, nil), fixture.Created)
					if err != nil {
						t.Fatal(err)
					}
					session.Status.Audit = &v1alpha1.AuditStatus{Key: stored.Key, SHA256: stored.SHA256}
				}
				session.Status.Review = &v1alpha1.ReviewStatus{Since: ended, DueAt: ended, Decision: v1alpha1.DecisionApprove, By: "bob",
					At: &ended, AfterEnd: true}
				r.lost(session)
				ctx, cancel := context.WithTimeout(t.Context(), tryTimeout)
				defer cancel()
				r.work(ctx)
				records, err := audit.Read(t.Context(), store, audit.Query{})
				if err != nil || len(records) != 2 {
					t.Fatalf("%d records, %v", len(records), err)
				}
				own, late := records[0], records[1]
				if own.Review != nil {
					own, late = late, own
				}
				if text, err := store.Read(t.Context(), own.Key()); err != nil || late.Review.By != "bob" ||
					late.Review.Session.Key != own.Key() || late.Review.Session.SHA256 != audit.Digest(text) {
					t.Errorf("%+v, %v", late.Review, err)
				}
				if result, err := audit.Verify(t.Context(), store, public, nil); err != nil || len(result.Faults) > 0 || result.Links != 2 {
					t.Errorf("%+v, %v", result, err)
				}
				session.Status.Audit = &v1alpha1.AuditStatus{Key: own.Key(), ReviewKey: late.Key()}
				r.look(session)
				if n := len(r.entries); n > 0 {
					t.Errorf("%d are still to be stored", n)
				}
			})
		})
	}
}
