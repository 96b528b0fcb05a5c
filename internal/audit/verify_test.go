package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

// memory is a store.
type memory map[string][]byte

var errNothing = errors.New("there is nothing")

func (m memory) Keys(_ context.Context, prefix string) ([]string, error) {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(m)), func(key string) bool { return !strings.HasPrefix(key, prefix) }), nil
}

func (m memory) Read(_ context.Context, key string) ([]byte, error) {
	if text, ok := m[key]; ok {
		return text, nil
	}
	return nil, errNothing
}

func (m memory) NotFound(err error) bool { return errors.Is(err, errNothing) }

var at = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// filled is a store with as many records, and its head.
func filled(t *testing.T, private ed25519.PrivateKey, count int) (memory, Head) {
	t.Helper()
	store, head := memory{}, Head{}
	for i := range count {
		session := fixture.Session()
		session.Name, session.UID = fmt.Sprint("hang-", i), types.UID(fmt.Sprint("uid-", i))
		ended := metav1.NewTime(at.Add(time.Duration(i) * time.Hour))
		session.Status.Phase, session.Status.EndedAt = v1alpha1.PhaseEnded, &ended
		head = store.put(t, head, OfSession("eu-1", session, nil), private)
	}
	return store, head
}

// put stores a record and its link, and returns the head that follows.
func (m memory) put(t *testing.T, head Head, record *Record, private ed25519.PrivateKey) Head {
	t.Helper()
	text, err := record.Encode()
	if err != nil {
		t.Fatal(err)
	}
	link, linked, err := Append(head, record.Key(), text, at, private)
	if err != nil {
		t.Fatal(err)
	}
	m[record.Key()], m[LinkKey(link.Sequence)] = text, linked
	return Head{Sequence: link.Sequence, SHA256: Digest(linked)}
}

// finds verifies a store, and compares the faults: their kinds and numbers.
func finds(t *testing.T, store memory, public ed25519.PublicKey, head Head, want []string) {
	t.Helper()
	result, err := Verify(t.Context(), store, public, &head)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, fault := range result.Faults {
		got = append(got, fmt.Sprint(fault.Kind, " ", fault.Sequence))
	}
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q\n%+v", got, want, result.Faults)
	}
}

func TestVerify(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, another, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	record := func(i int) string { return fmt.Sprintf("records/2026-11-27/shop/hang-%d-uid-%d.json", i, i) }
	for name, tc := range map[string]struct {
		tamper func(memory)
		want   []string
	}{
		"whole":            {func(memory) {}, nil},
		"a record changed": {func(m memory) { m[record(2)] = append(m[record(2)], ' ') }, []string{"RecordChanged 3"}},
		"a record removed": {func(m memory) { delete(m, record(2)) }, []string{"RecordRemoved 3"}},
		"two records exchanged": {
			func(m memory) { m[record(1)], m[record(2)] = m[record(2)], m[record(1)] },
			[]string{"RecordChanged 2", "RecordChanged 3"},
		},
		"a record added": {func(m memory) { m["records/2026-11-27/shop/forged.json"] = m[record(0)] }, []string{"RecordAdded 0"}},
		"a link changed": {
			func(m memory) { m[LinkKey(3)] = []byte(strings.ReplaceAll(string(m[LinkKey(3)]), "hang-2", "hang-9")) },
			[]string{"RecordAdded 0", "LinkChanged 3", "LinkChanged 4"},
		},
		"a link removed":        {func(m memory) { delete(m, LinkKey(3)) }, []string{"RecordAdded 0", "LinkRemoved 3"}},
		"a record and its link": {func(m memory) { delete(m, LinkKey(3)); delete(m, record(2)) }, []string{"LinkRemoved 3"}},
		"links exchanged": {
			func(m memory) { m[LinkKey(2)], m[LinkKey(3)] = m[LinkKey(3)], m[LinkKey(2)] },
			[]string{"RecordAdded 0", "RecordAdded 0", "LinkChanged 2", "LinkChanged 3", "LinkChanged 4"},
		},
		"the last cut off": {func(m memory) { delete(m, LinkKey(5)); delete(m, record(4)) }, []string{"CutOff 5"}},
		"all of it":        {func(m memory) { clear(m) }, []string{"CutOff 1"}},
		"written anew by another": {func(m memory) {
			clear(m)
			forged, _ := filled(t, another, 5)
			maps.Copy(m, forged)
		}, []string{"RecordAdded 0", "RecordAdded 0", "RecordAdded 0", "RecordAdded 0", "RecordAdded 0", "LinkChanged 1", "LinkChanged 2",
			"LinkChanged 3", "LinkChanged 4", "LinkChanged 5", "LinkChanged 5"}},
		"an older state of it, with other records": {func(m memory) {
			clear(m)
			older, _ := filled(t, private, 3)
			maps.Copy(m, older)
		}, []string{"CutOff 4"}},
	} {
		t.Run(name, func(t *testing.T) {
			store, head := filled(t, private, 5)
			tc.tamper(store)
			finds(t, store, public, head, tc.want)
		})
	}
}

func TestRecordIsTheSameAtEachTry(t *testing.T) {
	session := fixture.Session()
	first, err := OfSession("", session, nil).Encode()
	if err != nil {
		t.Fatal(err)
	}
	second, err := OfSession("", session.DeepCopy(), nil).Encode()
	if err != nil || string(first) != string(second) {
		t.Errorf("%v\n%s\n%s", err, first, second)
	}
}

// A transcript is held against the record that names it.
func TestVerifyTranscripts(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	session := fixture.Session()
	key := TranscriptKey(session)
	for name, tc := range map[string]struct {
		tamper func(memory)
		want   []string
	}{
		"whole":                     {func(memory) {}, nil},
		"of another, being written": {func(m memory) { m[TranscriptPrefix+"2026-11-27/shop/other-2/1.cast"] = []byte("c") }, nil},
		"changed":                   {func(m memory) { m[key+"1.cast"] = []byte("A") }, []string{"TranscriptChanged 1"}},
		"a part removed":            {func(m memory) { delete(m, key+"2.cast") }, []string{"TranscriptRemoved 1"}},
		"a part added":              {func(m memory) { m[key+"3.cast"] = nil }, []string{"TranscriptChanged 1"}},
		"parts exchanged": {
			func(m memory) { m[key+"1.cast"], m[key+"2.cast"] = m[key+"2.cast"], m[key+"1.cast"] },
			[]string{"TranscriptChanged 1"},
		},
		"removed, with its record": {func(m memory) { clear(m) }, []string{"CutOff 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			store := memory{key + "1.cast": []byte("a"), key + "2.cast": []byte("b")}
			ended := metav1.NewTime(at)
			session.Status.EndedAt = &ended
			session.Status.Transcript = &v1alpha1.TranscriptStatus{Key: key, Format: v1alpha1.TranscriptCast, Parts: 2, Bytes: 2,
				SHA256: Digest([]byte("ab"))}
			head := store.put(t, Head{}, OfSession("", session, nil), private)
			tc.tamper(store)
			finds(t, store, public, head, tc.want)
		})
	}
}
