package audit

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"
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
	RecordAdded   FaultKind = "RecordAdded" // not by the operator, or by one that was ended before it wrote the link
	LinkChanged   FaultKind = "LinkChanged"
	LinkRemoved   FaultKind = "LinkRemoved"
	CutOff        FaultKind = "CutOff" // the last links were removed
)

// Result is what verification has found.
type Result struct {
	Links   int64   `json:"links"`
	Records int     `json:"records"`
	Head    Head    `json:"head"`
	Faults  []Fault `json:"faults"`
}

// Verify reads a store whole, and compares it with its chain, and the chain with the head that is known, if one is.
func Verify(ctx context.Context, store Reader, public ed25519.PublicKey, known *Head) (*Result, error) {
	v := &verification{store: store, public: public, result: &Result{}, linked: map[string]bool{}}
	if err := v.links(ctx); err != nil {
		return nil, err
	}
	if err := v.records(ctx); err != nil {
		return nil, err
	}
	v.compare(known)
	return v.result, nil
}

type verification struct {
	store  Reader
	public ed25519.PublicKey
	result *Result
	linked map[string]bool // the keys that a link stands for
}

func (v *verification) fault(kind FaultKind, sequence int64, key, format string, args ...any) {
	v.result.Faults = append(v.result.Faults, Fault{kind, sequence, key, fmt.Sprintf(format, args...)})
}

// links follows the chain from its first link to the last that is there.
func (v *verification) links(ctx context.Context) error {
	keys, err := v.store.Keys(ctx, chainPrefix)
	if err != nil {
		return err
	}
	before := Head{}
	broken := false // what comes first after a gap names a link that is not there
	for _, key := range keys {
		sequence := sequenceOf(key)
		if sequence == 0 {
			v.fault(RecordAdded, 0, key, "no link of the chain has such a name")
			continue
		}
		for missing := before.Sequence + 1; missing < sequence; missing++ {
			v.fault(LinkRemoved, missing, LinkKey(missing), "the link is not there")
			broken = true
		}
		text, err := v.store.Read(ctx, key)
		if err != nil {
			return fmt.Errorf("reading %s: %w", key, err)
		}
		if err := v.link(ctx, sequence, key, text, before, broken); err != nil {
			return err
		}
		before, broken = Head{Sequence: sequence, SHA256: digest(text)}, false
	}
	v.result.Links, v.result.Head = int64(len(keys)), before
	return nil
}

// link checks one link, and the record that it stands for.
func (v *verification) link(ctx context.Context, sequence int64, key string, text []byte, before Head, afterGap bool) error {
	link, err := ParseLink(text, v.public)
	switch {
	case err != nil:
		v.fault(LinkChanged, sequence, key, "it is not as the operator wrote it: %v", err)
		return nil
	case link.Sequence != sequence:
		v.fault(LinkChanged, sequence, key, "it was written as link %d", link.Sequence)
		return nil
	case !afterGap && link.Previous != before.SHA256:
		v.fault(LinkChanged, sequence, key, "it follows another link than %d", sequence-1)
	}
	v.linked[link.Key] = true
	record, err := v.store.Read(ctx, link.Key)
	switch {
	case err != nil && v.store.NotFound(err):
		v.fault(RecordRemoved, sequence, link.Key, "the record is not there")
	case err != nil:
		return fmt.Errorf("reading %s: %w", link.Key, err)
	case digest(record) != link.SHA256:
		v.fault(RecordChanged, sequence, link.Key, "the record is not as it was written at %s", link.At.Format("2006-01-02 15:04:05Z07:00"))
	}
	return nil
}

// records looks for what no link stands for.
func (v *verification) records(ctx context.Context) error {
	for _, prefix := range []string{"sessions/", "refusals/"} {
		keys, err := v.store.Keys(ctx, prefix)
		if err != nil {
			return err
		}
		v.result.Records += len(keys)
		for _, key := range keys {
			if !v.linked[key] && strings.HasSuffix(key, ".json") {
				v.fault(RecordAdded, 0, key, "no link stands for it: the operator did not write it, or was ended before it wrote its link")
			}
		}
	}
	slices.SortStableFunc(v.result.Faults, func(a, b Fault) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return nil
}

// compare holds the chain against the head that is known from elsewhere.
func (v *verification) compare(known *Head) {
	head := v.result.Head
	switch {
	case known == nil || *known == head:
	case head.Sequence < known.Sequence:
		v.fault(CutOff, head.Sequence+1, LinkKey(head.Sequence+1), "%d links were written, the last %d are not there", known.Sequence, known.Sequence-head.Sequence)
	case head.Sequence == known.Sequence:
		v.fault(LinkChanged, head.Sequence, LinkKey(head.Sequence), "it is another than the operator wrote last")
	}
}
