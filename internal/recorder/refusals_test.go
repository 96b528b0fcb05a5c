package recorder

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/blob/memblob"

	"debugsession.dev/operator/internal/audit"
)

// refusing runs what records refusals into a store, within a bubble of time.
func refusing(t *testing.T, check func(t *testing.T, r *Refusals, records func() []*audit.Record)) {
	synctest.Test(t, func(t *testing.T) {
		records, store, public := storing(t, memblob.OpenBucket(nil))
		r, stop := recordRefusals(t, records)
		check(t, r, func() []*audit.Record {
			synctest.Wait()
			found, err := audit.Read(t.Context(), store, audit.Query{})
			if err != nil {
				t.Fatal(err)
			}
			return found
		})
		stop()
		if result, err := audit.Verify(t.Context(), store, public, nil); err != nil || len(result.Faults) > 0 {
			t.Errorf("%v: %+v", err, result)
		}
	})
}

// recordRefusals starts what goes by a recorder's store, by which no session is recorded meanwhile.
func recordRefusals(t *testing.T, records *Recorder) (r *Refusals, stop func()) {
	t.Helper()
	records.queue.ShutDown()
	r = NewRefusals(records)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Start(ctx) }()
	return r, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func attempt(name string) audit.Attempt {
	return audit.AttemptOf(time.Now(), "DebugSession", "CREATE", name, []byte(`{"spec": {"className": "production", "reason": "now"}}`),
		"may not use class production")
}

// A user who is refused without end has a record for each of the first refusals, and then one a minute that counts them.
func TestRefusalsOfOneUserAreCounted(t *testing.T) {
	refusing(t, func(t *testing.T, r *Refusals, records func() []*audit.Record) {
		const tries = 5000
		mallory := audit.User{Username: "mallory"}
		for i := range tries {
			r.Refused("shop", mallory, attempt(fmt.Sprint("try-", i)))
			if i < refusalsOfUser.Burst+1 {
				synctest.Wait()
			}
		}
		r.Refused("shop", audit.User{Username: "alice"}, attempt("typo"))
		if found := records(); len(found) != refusalsOfUser.Burst+1 {
			t.Fatalf("%d records at once", len(found))
		}
		time.Sleep(refusalsOfUser.Every + refusalPause)
		found := records()
		last := found[slices.IndexFunc(found, func(r *audit.Record) bool { return r.Refusal.Count > 1 })].Refusal
		if len(found) != refusalsOfUser.Burst+2 || last.Count != tries-refusalsOfUser.Burst || len(last.Attempts) != 8 ||
			last.Attempts[7].Name != fmt.Sprint("try-", tries-1) {
			t.Errorf("%d records, the last %+v", len(found), last)
		}
		first := found[slices.IndexFunc(found, func(r *audit.Record) bool { return r.Refusal.Attempts[0].Name == "try-0" })].Refusal
		if first.Count != 1 || first.Attempts[0].Class != "production" || !strings.Contains(first.Attempts[0].Spec, `"reason":"now"`) {
			t.Errorf("the first: %+v", first)
		}
	})
}

// However many users there are, memory and the store take no more than so much, and what no record tells of is counted.
func TestRefusalsOfManyUsersAreBounded(t *testing.T) {
	refusing(t, func(t *testing.T, r *Refusals, records func() []*audit.Record) {
		const users = 3000
		for i := range users {
			r.Refused("shop", audit.User{Username: fmt.Sprint("user-", i)}, attempt("x"))
		}
		for i := range 1000 { // as one who may make service accounts, in many namespaces
			r.Refused(fmt.Sprint("ns-", i), audit.User{Username: fmt.Sprint("system:serviceaccount:evil:", i)}, attempt("x"))
		}
		synctest.Wait()
		r.mu.Lock()
		counted, waiting := len(r.counted), len(r.waiting)
		r.mu.Unlock()
		if counted > maxRefusals || waiting > maxRefusals {
			t.Errorf("%d are counted, %d wait", counted, waiting)
		}
		if found := len(records()); found > refusalsOfAll.Burst {
			t.Errorf("%d records at once", found)
		}
		time.Sleep((maxRefusals + 1) * refusalsOfAll.Every)
		told := 0
		for _, record := range records() {
			told += record.Refusal.Count + record.Refusal.Omitted
		}
		if told != users+1000 {
			t.Errorf("records tell of %d refusals", told)
		}
	})
}

// What is counted when the operator ends is logged: its store may be the reason why it ends.
func TestRefusalsWaitForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records, _, _ := storing(t, deadBucket(t))
		r, stop := recordRefusals(t, records)
		for hour := range 20 { // of a store that does not answer
			for i := range 100 {
				r.Refused("shop", audit.User{Username: fmt.Sprint("user-", i)}, attempt(fmt.Sprint(hour)))
			}
			time.Sleep(time.Hour)
		}
		synctest.Wait()
		r.mu.Lock()
		if len(r.waiting) != maxRefusals || len(r.counted) > 0 {
			t.Errorf("%d wait, %d are counted", len(r.waiting), len(r.counted))
		}
		r.mu.Unlock()
		stop()
	})
}
