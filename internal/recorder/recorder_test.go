package recorder

import (
	"context"
	"crypto/ed25519"
	"errors"
	"testing"
	"testing/synctest"

	"gocloud.dev/blob/memblob"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/auditstore"
	"debugsession.dev/operator/internal/fixture"
)

// Approvals that can never be read hold up no record for ever.
func TestRecordIsStoredWithoutApprovals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		store := auditstore.New(memblob.OpenBucket(nil), "mem://")
		r := &Recorder{
			Chain: auditstore.NewChain(store, private, nil), Metrics: NewMetrics(), Clock: clock.RealClock{},
			Approvals: func(context.Context, *v1alpha1.DebugSession) ([]v1alpha1.DebugApproval, error) {
				return nil, errors.New("no such kind")
			},
		}
		r.Prepare()
		ended := metav1.NewTime(fixture.Created)
		session := fixture.Session()
		session.Status.Phase, session.Status.EndedAt = v1alpha1.PhaseEnded, &ended
		r.lost(session)
		ctx, cancel := context.WithTimeout(t.Context(), 2*tryTimeout)
		defer cancel()
		r.work(ctx)
		keys, err := store.Keys(t.Context(), audit.SessionPrefix)
		if err != nil || len(keys) != 1 {
			t.Errorf("stored: %v, %v", keys, err)
		}
	})
}
