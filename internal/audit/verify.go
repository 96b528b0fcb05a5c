package audit

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Reader is what verification needs of a store.
type Reader interface {
	// Keys are all keys that begin so, in order.
	Keys(ctx context.Context, prefix string) ([]string, error)
	// Read fails with an error that NotFound knows if there is nothing.
	Read(ctx context.Context, key string) ([]byte, error)
	NotFound(err error) bool
}

// Fault is what is wrong with a store.
type Fault struct {
	Kind     FaultKind `json:"kind"`
	Sequence int64     `json:"sequence,omitempty"`
	Key      string    `json:"key,omitempty"`
	Detail   string    `json:"detail"`
}

// FaultKind is what was done to a store.
type FaultKind string

// The kinds of faults.
const (
	RecordChanged FaultKind = "RecordChanged"
	RecordRemoved FaultKind = "RecordRemoved"
	RecordAdded   FaultKind = "RecordAdded" // the operator writes none before its link
	LinkChanged   FaultKind = "LinkChanged"
	LinkRemoved   FaultKind = "LinkRemoved"
	LinkAdded     FaultKind = "LinkAdded" // the operator never signed it
	CutOff        FaultKind = "CutOff"    // the last links were removed

	TranscriptChanged FaultKind = "TranscriptChanged"
	TranscriptRemoved FaultKind = "TranscriptRemoved"

	ArtifactChanged FaultKind = "ArtifactChanged"
	ArtifactRemoved FaultKind = "ArtifactRemoved"
)

// Result is what verification has found.
type Result struct {
	Links       int64   `json:"links"`
	Records     int     `json:"records"`
	Transcripts int     `json:"transcripts"`
	Artifacts   int     `json:"artifacts"`
	Head        Head    `json:"head"`
	Faults      []Fault `json:"faults"`
}

// atOnce is how many objects are read at a time.
const atOnce = 16

// Verify reads a store whole, and compares it with its chain, and the chain with the head that is known, if one is. What is added
// while it reads is no fault.
func Verify(ctx context.Context, store Reader, public ed25519.PublicKey, known *Head) (*Result, error) {
	v := &verification{store: store, public: public, known: known, result: &Result{Faults: []Fault{}}, linked: map[string]*Link{}}
	// Records first: one that is written from now on has its link in the chain that is read after.
	records, err := store.Keys(ctx, Prefix)
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", Prefix, err)
	}
	if err := v.links(ctx); err != nil {
		return nil, err
	}
	if err := v.records(ctx); err != nil {
		return nil, err
	}
	if err := v.parts(ctx); err != nil {
		return nil, err
	}
	v.unlinked(records)
	v.compare()
	slices.SortStableFunc(v.result.Faults, func(a, b Fault) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return v.result, nil
}

type verification struct {
	store   Reader
	public  ed25519.PublicKey
	known   *Head
	result  *Result
	linked  map[string]*Link // by the keys of the records that links stand for
	atKnown string           // the digest of the link that has the known head's number

	named []namedParts // by records that are as they were written
}

func (v *verification) fault(kind FaultKind, sequence int64, key, format string, args ...any) {
	v.result.Faults = append(v.result.Faults, Fault{kind, sequence, key, fmt.Sprintf(format, args...)})
}

// links follows the chain from its first link to the last that is there.
func (v *verification) links(ctx context.Context) error {
	keys, err := v.store.Keys(ctx, chainPrefix)
	if err != nil {
		return fmt.Errorf("listing %s: %w", chainPrefix, err)
	}
	keys = slices.DeleteFunc(keys, func(key string) bool {
		stray := sequenceOf(key) == 0
		if stray {
			v.fault(LinkAdded, 0, key, "it does not have the name of a chain link")
		}
		return stray
	})
	return readAll(ctx, v.store, keys, func(key string, text []byte, missing bool) {
		if !missing { // else it was removed meanwhile: the next link shows the gap
			v.link(key, text)
		}
	})
}

// link looks at the next link that is there.
func (v *verification) link(key string, text []byte) {
	sequence, before := sequenceOf(key), v.result.Head
	link, err := ParseLink(text, v.public)
	gap := sequence > before.Sequence+1
	if err != nil && gap {
		v.fault(LinkAdded, sequence, key, "it was not written by the operator: %v", err)
		return
	}
	if gap {
		v.fault(LinkRemoved, before.Sequence+1, LinkKey(before.Sequence+1), "%s", lacking(before.Sequence+1, sequence-1))
	}
	switch {
	case err != nil:
		v.fault(LinkChanged, sequence, key, "it differs from what the operator wrote: %v", err)
	case link.Sequence != sequence:
		v.fault(LinkChanged, sequence, key, "it was written as link %d", link.Sequence)
	default:
		if !gap && link.Previous != before.SHA256 {
			v.fault(LinkChanged, sequence, key, "it does not follow the current link %d", sequence-1)
		}
		v.linked[link.Key] = link
	}
	v.result.Links++
	v.result.Head = Head{Sequence: sequence, SHA256: Digest(text)}
	if v.known != nil && v.known.Sequence == sequence {
		v.atKnown = v.result.Head.SHA256
	}
}

func lacking(first, last int64) string {
	if first == last {
		return "the link is missing"
	}
	return fmt.Sprintf("links %d to %d are missing", first, last)
}

// records compares each record with its link.
func (v *verification) records(ctx context.Context) error {
	keys := make([]string, 0, len(v.linked))
	for key := range v.linked {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Compare(v.linked[a].Sequence, v.linked[b].Sequence) })
	return readAll(ctx, v.store, keys, func(key string, text []byte, missing bool) {
		link := v.linked[key]
		switch {
		case missing:
			v.fault(RecordRemoved, link.Sequence, key, "the record is missing; its text is in its link, from which the operator restores the latest records when it starts")
		case Digest(text) != link.SHA256:
			v.fault(RecordChanged, link.Sequence, key, "the record differs from what was written at %s", link.At.UTC().Format(time.RFC3339))
		default:
			v.noteNamed(link.Sequence, text)
		}
	})
}

// unlinked looks for what no link stands for.
func (v *verification) unlinked(records []string) {
	v.result.Records = len(records)
	for _, key := range records {
		if v.linked[key] == nil {
			v.fault(RecordAdded, 0, key, "the chain has no link for it: the operator did not write it")
		}
	}
}

// compare holds the chain against the head that is known from elsewhere.
func (v *verification) compare() {
	head, known := v.result.Head, v.known
	switch {
	case known == nil:
	case head.Sequence < known.Sequence:
		v.fault(CutOff, head.Sequence+1, LinkKey(head.Sequence+1), "%d links were written, but the last %d are missing", known.Sequence, known.Sequence-head.Sequence)
	case known.Sequence > 0 && v.atKnown != "" && v.atKnown != known.SHA256:
		v.fault(LinkChanged, known.Sequence, LinkKey(known.Sequence), "it is not the link that the operator recorded")
	}
}

// readAll reads objects, some at a time, and hands them over in order.
func readAll(ctx context.Context, store Reader, keys []string, each func(key string, text []byte, missing bool)) error {
	for batch := range slices.Chunk(keys, atOnce) {
		texts, errs := make([][]byte, len(batch)), make([]error, len(batch))
		var reading sync.WaitGroup
		for i, key := range batch {
			reading.Go(func() { texts[i], errs[i] = store.Read(ctx, key) })
		}
		reading.Wait()
		for i, key := range batch {
			missing := errs[i] != nil && store.NotFound(errs[i])
			if errs[i] != nil && !missing {
				return fmt.Errorf("reading %s: %w", key, errs[i])
			}
			each(key, texts[i], missing)
		}
	}
	return nil
}
