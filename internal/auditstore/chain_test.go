package auditstore

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob/memblob"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/fixture"
)

var (
	public, private, _ = ed25519.GenerateKey(nil)
	at                 = time.Date(2026, time.November, 27, 12, 0, 0, 0, time.UTC)
)

// memory is an anchor.
type memory struct{ head *audit.Head }

func (m *memory) Head(context.Context) (*audit.Head, error) { return m.head, nil }
func (m *memory) Remember(head audit.Head)                  { m.head = &head }

func record(i int) *audit.Record {
	session := fixture.Session()
	session.Name, session.UID = fmt.Sprint("hang-", i), types.UID(fmt.Sprint("uid-", i))
	ended := metav1.NewTime(at)
	session.Status.Phase, session.Status.EndedAt = v1alpha1.PhaseEnded, &ended
	return audit.OfSession("", session, nil)
}

func refusal() *audit.Record {
	return audit.OfRefusal("",
		audit.NewRefusal("shop", audit.User{Username: "mallory"}, audit.AttemptOf(at, "DebugSession", "CREATE", "hang", nil, "no")))
}

func put(t *testing.T, c *Chain, i int) Stored {
	t.Helper()
	stored, err := c.Put(t.Context(), record(i), at)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func faults(t *testing.T, store *Store, known *audit.Head) string {
	t.Helper()
	result, err := audit.Verify(t.Context(), store, public, known)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, fault := range result.Faults {
		found = append(found, fmt.Sprint(fault.Kind, " ", fault.Sequence))
	}
	return fmt.Sprint(result.Links, " links: ", strings.Join(found, ", "))
}

func inMemory() *Store { return New(memblob.OpenBucket(nil), "mem://") }

func TestChainGoesOnAfterARestart(t *testing.T) {
	for _, remembers := range []bool{true, false} {
		store, anchor := inMemory(), &memory{}
		for i := range 21 { // a new operator for each
			if !remembers {
				anchor.head = nil
			}
			put(t, NewChain(store, private, anchor), i)
		}
		if got := faults(t, store, anchor.head); got != "21 links: " {
			t.Errorf("remembers %t: %s", remembers, got)
		}
	}
}

// Two operators for a moment, as when one is slow to see that it does not lead any more.
func TestSeveralAppendAtOnce(t *testing.T) {
	store := inMemory()
	var writing sync.WaitGroup
	for w := range 4 {
		chain := NewChain(store, private, &memory{})
		for i := range 10 {
			writing.Go(func() {
				if _, err := chain.Put(t.Context(), record(10*w+i), at); err != nil {
					t.Error(err)
				}
			})
		}
	}
	writing.Wait()
	if got := faults(t, store, nil); got != "40 links: " {
		t.Error(got)
	}
}

// The same record again, by an operator that was started anew: it is there once, with one link.
func TestSameRecordTwice(t *testing.T) {
	store := inMemory()
	first := put(t, NewChain(store, private, nil), 1)
	put(t, NewChain(store, private, nil), 2)
	if again := put(t, NewChain(store, private, nil), 1); again != first {
		t.Errorf("%+v, and then %+v", first, again)
	}
	if got := faults(t, store, nil); got != "2 links: " {
		t.Error(got)
	}
}

// A session that was deleted after its record was stored, and before it said so, has one record.
func TestRecordStaysAsItWas(t *testing.T) {
	store := inMemory()
	first := put(t, NewChain(store, private, nil), 1)
	later := record(1)
	later.Session.DeletedAt = at
	again, err := NewChain(store, private, nil).Put(t.Context(), later, at)
	if err != nil || again != first {
		t.Errorf("%+v, and then %+v: %v", first, again, err)
	}
	if got := faults(t, store, nil); got != "1 links: " {
		t.Error(got)
	}
}

// A record that is there without a link, as a copy from another store, has one once the operator stores the same.
func TestLinkIsAddedLater(t *testing.T) {
	store := inMemory()
	text, err := record(1).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Create(t.Context(), record(1).Key(), text); err != nil {
		t.Fatal(err)
	}
	put(t, NewChain(store, private, nil), 1)
	if got := faults(t, store, nil); got != "1 links: " {
		t.Error(got)
	}
}

// Who may write to the store keeps no record out of it, and is seen.
func TestWhatIsInTheWay(t *testing.T) {
	store := inMemory()
	for _, key := range []string{record(1).Key(), audit.LinkKey(1)} {
		if err := store.Create(t.Context(), key, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	stored := put(t, NewChain(store, private, nil), 1)
	if stored.Key == record(1).Key() {
		t.Errorf("stored as %s, where something else is", stored.Key)
	}
	if got := faults(t, store, nil); got != "2 links: RecordAdded 0, LinkChanged 1" {
		t.Error(got)
	}
}

// An end that was cut off stays to be seen, also when more is written.
func TestChainGoesOnFromWhatIsRemembered(t *testing.T) {
	store, anchor := inMemory(), &memory{}
	chain := NewChain(store, private, anchor)
	for i := range 5 {
		put(t, chain, i)
	}
	for _, sequence := range []int64{4, 5} {
		if err := store.bucket.Delete(t.Context(), audit.LinkKey(sequence)); err != nil {
			t.Fatal(err)
		}
	}
	if got := faults(t, store, anchor.head); got != "3 links: RecordAdded 0, RecordAdded 0, CutOff 4" {
		t.Error(got)
	}
	put(t, NewChain(store, private, anchor), 6)
	if got := faults(t, store, anchor.head); got != "4 links: RecordAdded 0, RecordAdded 0, LinkRemoved 4" {
		t.Error(got)
	}
}

func TestFileStore(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "not", "there", "yet")
	store, err := Open(t.Context(), "file://"+folder)
	if err != nil {
		t.Fatal(err)
	}
	stored := put(t, NewChain(store, private, nil), 1)
	if _, err := os.Stat(filepath.Join(folder, stored.Key)); err != nil {
		t.Errorf("%s: %v", stored.Key, err)
	}
	if made, err := os.Stat(filepath.Join(folder, filepath.Dir(stored.Key))); err != nil || made.Mode().Perm() != 0o700 {
		t.Errorf("its folders have mode %v (%v): the operator is not root", made.Mode(), err)
	}
	if err := store.Create(t.Context(), stored.Key, []byte("{}")); !store.Exists(err) {
		t.Errorf("a second object of the same key: %v", err)
	}
	if _, err := store.Read(t.Context(), "nothing"); !store.NotFound(err) {
		t.Errorf("what is not there: %v", err)
	}
	part := audit.TranscriptPrefix + "2026-11-28/shop/hang-1/000001-1764336000123456789-1-0."
	// of an operator that was killed while it wrote
	for _, key := range []string{stored.Key, audit.LinkKey(2), part + "cast", part + "txt"} {
		if err := os.MkdirAll(filepath.Join(folder, filepath.Dir(key)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, key+".187bf3a2c91d6e00.tmp"), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := faults(t, store, nil); got != "1 links: " {
		t.Error(got)
	}
	if parts, err := store.Keys(t.Context(), audit.TranscriptPrefix); err != nil || len(parts) != 0 {
		t.Errorf("parts of transcripts: %v, %v", parts, err)
	}
}

func TestNameHasNoSecrets(t *testing.T) {
	for address, want := range map[string]string{
		"file:///var/lib/audit?metadata=skip":       "file:///var/lib/audit",
		"mem://bucket?prefix=a/&nothing=secret":     "mem://bucket?prefix=a%2F",
		"mem://user:secret@bucket/folder?token=abc": "mem://bucket/folder",
	} {
		store, err := Open(t.Context(), address)
		name := ""
		if err == nil {
			name = store.Name()
		} else if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "abc") {
			t.Errorf("%s: the error tells of it: %v", address, err)
		}
		if err == nil && name != want {
			t.Errorf("%s: %s", address, name)
		}
	}
}

// An operator that was ended between the link of a refusal and its record loses nothing: nobody else could tell of it.
func TestRefusalIsWrittenFromItsLink(t *testing.T) {
	store := inMemory()
	refused := refusal()
	if _, err := NewChain(store, private, nil).Put(t.Context(), refused, at); err != nil {
		t.Fatal(err)
	}
	if got := faults(t, store, nil); got != "1 links: " {
		t.Error(got)
	}
	if err := store.bucket.Delete(t.Context(), refused.Key()); err != nil {
		t.Fatal(err)
	}
	if got := faults(t, store, nil); got != "1 links: RecordRemoved 1" {
		t.Error(got)
	}
	put(t, NewChain(store, private, nil), 1)
	if got := faults(t, store, nil); got != "2 links: " {
		t.Error(got)
	}
	records, err := audit.Read(t.Context(), store, audit.Query{Requester: "mallory"})
	if err != nil || len(records) != 1 || records[0].Refusal.ID != refused.Refusal.ID {
		t.Errorf("%+v, %v", records, err)
	}
	if _, err := NewChain(store, private, nil).Put(t.Context(), refused, at); err != nil {
		t.Errorf("again: %v", err)
	}
	if got := faults(t, store, nil); got != "2 links: " {
		t.Error(got)
	}
}

// A session's name may be as long as a file's may hardly be. What cannot be stored would hold up what can.
func TestRecordsOfLongNamesAreStored(t *testing.T) {
	store, err := Open(t.Context(), "file://"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	chain := NewChain(store, private, nil)
	for i := range 2 { // which differ in nothing that the key has but the UID
		long := record(i)
		long.Session.Name, long.Session.Namespace = strings.Repeat("a", 252)+fmt.Sprint(i), strings.Repeat("n", 63)
		long.Session.UID = fmt.Sprintf("5e551040-0000-4000-8000-%012d", i)
		if _, err := chain.Put(t.Context(), long, at); err != nil {
			t.Fatal(err)
		}
	}
	if got := faults(t, store, nil); got != "2 links: " {
		t.Error(got)
	}
	found, err := audit.Read(t.Context(), store, audit.Query{Namespace: strings.Repeat("n", 63)})
	if err != nil || len(found) != 2 || len(found[0].Session.Name) != 253 {
		t.Errorf("%d records, %v", len(found), err)
	}
}
