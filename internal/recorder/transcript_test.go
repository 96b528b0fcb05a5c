package recorder

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/blob/memblob"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// tapes are transcripts in the making.
type tapes struct {
	mu        sync.Mutex
	state     plan.TranscriptState
	gone      bool
	forgotten int
}

func (t *tapes) State(_ *v1alpha1.DebugSession, gone bool) plan.TranscriptState {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gone = gone
	return t.state
}

func (t *tapes) Forget(types.UID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forgotten++
}

// The record of a session that was deleted before its transcript was complete waits for that, and names it.
func TestRecordNamesTheTranscript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, store, _ := storing(t, memblob.OpenBucket(nil))
		made := &tapes{}
		r.Transcripts = made
		r.Approvals = func(context.Context, *v1alpha1.DebugSession) ([]v1alpha1.DebugApproval, error) { return nil, nil }
		at := metav1.NewTime(fixture.Created)
		session := fixture.Session()
		session.Status = v1alpha1.DebugSessionStatus{
			Phase: v1alpha1.PhaseEnded, EndedAt: &at, Class: &v1alpha1.ClassStatus{Transcript: v1alpha1.TranscriptBestEffort},
			Debugger: &v1alpha1.DebuggerStatus{StartedAt: &at},
		}
		ctx, cancel := context.WithCancel(t.Context())
		working := make(chan struct{})
		go func() { defer close(working); r.work(ctx) }()
		r.lost(session)
		time.Sleep(time.Hour)
		synctest.Wait()
		if keys, err := store.Keys(t.Context(), audit.Prefix); err != nil || len(keys) != 0 || !made.gone {
			t.Errorf("before: %v, %v, gone %v", keys, err, made.gone)
		}
		want := v1alpha1.TranscriptStatus{Key: "transcripts/a/", Format: v1alpha1.TranscriptText, Parts: 1, Bytes: 2, SHA256: "5ha"}
		made.mu.Lock()
		made.state.Stored = &want
		made.mu.Unlock()
		r.TranscriptComplete(session.UID)
		synctest.Wait()
		cancel()
		<-working
		keys, err := store.Keys(t.Context(), audit.Prefix)
		if err != nil || len(keys) != 1 {
			t.Fatalf("then: %v, %v", keys, err)
		}
		text, err := store.Read(t.Context(), keys[0])
		if err != nil {
			t.Fatal(err)
		}
		record, err := audit.Decode(text)
		if err != nil || record.Session.Transcript == nil || *record.Session.Transcript != want || made.forgotten != 1 {
			t.Errorf("%v: %s, forgotten %d times", err, text, made.forgotten)
		}
	})
}
