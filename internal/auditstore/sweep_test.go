package auditstore

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/blobtest"
)

var errBroken = errors.New("broken by the test")

// breaks is how a call goes wrong.
type breaks string

const (
	notMade    breaks = "the call fails"
	answerLost breaks = "the call is made, and its answer is lost"
	ends       breaks = "the operator ends before the call"
	endsAfter  breaks = "the operator ends after the call"
)

// faultyStore breaks the nth call from now on.
type faultyStore struct {
	memory blobtest.Memory
	how    breaks
	nth    int // 0: none

	mu    sync.Mutex
	calls int
	dead  bool // the operator: it calls nothing any more
}

func (f *faultyStore) around(_, _ string, do func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return errBroken
	}
	f.calls++
	if f.calls != f.nth {
		return do()
	}
	f.dead = f.how == ends || f.how == endsAfter
	if f.how == answerLost || f.how == endsAfter {
		_ = do()
	}
	return errBroken
}

// store is what an operator opens that is started.
func (f *faultyStore) store() *Store { return New(f.memory.Open(f.around), "mem://") }

// whole is the store without its faults.
func (f *faultyStore) whole() *Store {
	return New(f.memory.Open(func(_, _ string, do func() error) error { return do() }), "mem://")
}

// Whatever call to the store goes wrong, and however: each session has one record and one link, also if more is known of it at the next
// try, and a refusal, of which nobody knows after the operator has ended, has both or neither.
func TestNoBrokenCallLosesARecordOrLeavesItTwice(t *testing.T) {
	for _, remembered := range []int64{0, 3} { // where the anchor thinks that the chain ends, of 5 links
		calls := sweep(t, remembered, "", 0)
		if calls < 10 {
			t.Fatalf("%d calls", calls)
		}
		for nth := 1; nth <= calls; nth++ {
			for _, how := range []breaks{notMade, answerLost, ends, endsAfter} {
				sweep(t, remembered, how, nth)
			}
		}
	}
}

// sweep has an operator store what there is, with one fault, and returns how many calls that took.
func sweep(t *testing.T, remembered int64, how breaks, nth int) int {
	t.Helper()
	f, anchor := &faultyStore{}, &memory{}
	before, heads := NewChain(f.whole(), private, anchor), map[int64]*audit.Head{0: nil}
	for i := range 5 {
		put(t, before, 100+i)
		heads[anchor.head.Sequence] = anchor.head
	}
	anchor.head = heads[remembered]
	f.how, f.nth = how, nth
	chain, tries := NewChain(f.store(), private, anchor), 0
	restart := func() {
		f.dead = false
		chain = NewChain(f.store(), private, anchor)
	}
	session := func(i int) {
		for {
			tries++
			more := record(i)
			more.Session.DeletedAt = at.Add(time.Duration(tries) * time.Second) // otherwise at each try
			_, err := chain.Put(t.Context(), more, at)
			switch {
			case err == nil:
				return
			case f.dead:
				restart()
			case tries > 10:
				t.Fatalf("%s %d: not stored in the end: %v", how, nth, err)
			}
		}
	}
	session(1)
	refused := untilStored(t.Context(), f, chain, refusal())
	if f.dead {
		restart()
	}
	session(2)
	session(1) // its status could not be written
	calls := f.calls

	if err := NewChain(f.whole(), private, nil).Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	result, err := audit.Verify(t.Context(), f.whole(), public, anchor.head)
	if err != nil {
		t.Fatal(err)
	}
	records, err := audit.Read(t.Context(), f.whole(), audit.Query{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, r := range records {
		if r.Refusal != nil {
			seen["refused"]++
		} else {
			seen[r.Session.Name]++
		}
	}
	if seen["hang-1"] != 1 || seen["hang-2"] != 1 || refused && seen["refused"] != 1 || seen["refused"] > 1 || len(seen) > 8 {
		t.Errorf("%s %d, %d remembered: the records are %v", how, nth, remembered, seen)
	}
	if len(result.Faults) > 0 || result.Links != int64(len(records)) {
		t.Errorf("%s %d, %d remembered: %d records, %+v", how, nth, remembered, len(records), result)
	}
	return calls
}

// untilStored stores what only the operator that runs knows of. It reports whether it was stored.
func untilStored(ctx context.Context, f *faultyStore, chain *Chain, refused *audit.Record) bool {
	for !f.dead {
		if _, err := chain.Put(ctx, refused, at); err == nil {
			return true
		}
	}
	return false
}

// What another replica has linked and not written before it ended is written by the next that starts, also if that has nothing to store.
func TestReadyWritesWhatIsLinked(t *testing.T) {
	f := &faultyStore{}
	chain := NewChain(f.store(), private, nil)
	for i := range 3 {
		stored, err := chain.Put(t.Context(), record(i), at)
		if err != nil {
			t.Fatal(err)
		}
		f.memory.Remove(stored.Key)
	}
	if got := faults(t, f.whole(), nil); got != "3 links: RecordRemoved 1, RecordRemoved 2, RecordRemoved 3" {
		t.Fatal(got)
	}
	if err := NewChain(f.store(), private, nil).Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := faults(t, f.whole(), nil); got != "3 links: " {
		t.Error(got)
	}
}
