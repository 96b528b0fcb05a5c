package auditstore

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"

	"debugsession.dev/operator/internal/audit"
)

const (
	// maxOther is how many keys are tried for a record whose own is taken by something else.
	maxOther = 9

	// maxTaken is how many links that others have appended are followed in one try.
	maxTaken = 256

	// lookBack is how far back the link of a record is looked for that was written before: its writer was ended between the two.
	lookBack = 64
)

// Anchor remembers where the chain ends, apart from the store.
type Anchor interface {
	// Head is what was remembered last; nil if nothing was of this store.
	Head(ctx context.Context) (*audit.Head, error)
	// Remember is told of each new head. It does not wait.
	Remember(head audit.Head)
}

// Chain writes records, and appends their links. Several may append to the same store: who comes second takes the next number.
type Chain struct {
	store   *Store
	private ed25519.PrivateKey
	anchor  Anchor

	mu   sync.Mutex // held while a link is appended
	head *audit.Head
}

// NewChain returns the chain of a store. The anchor may be nil.
func NewChain(store *Store, private ed25519.PrivateKey, anchor Anchor) *Chain {
	return &Chain{store: store, private: private, anchor: anchor}
}

// Stored is where a record is, and what it is.
type Stored struct {
	Key    string
	SHA256 string
}

// Put writes a record and its link. The same record twice is there once; and a record that was stored already stays as it was, also if
// more is known by now.
func (c *Chain) Put(ctx context.Context, record *audit.Record, at time.Time) (Stored, error) {
	text, err := record.Encode()
	if err != nil {
		return Stored{}, err
	}
	if err := c.ready(ctx); err != nil {
		return Stored{}, err
	}
	key, there, err := c.write(ctx, record.Key(), text)
	if err != nil {
		return Stored{}, fmt.Errorf("writing %s: %w", record.Key(), err)
	}
	again := there != nil
	if again {
		text = there
	}
	if err := c.link(ctx, key, text, again, at); err != nil {
		return Stored{}, fmt.Errorf("appending the link of %s: %w", key, err)
	}
	return Stored{Key: key, SHA256: audit.Digest(text)}, nil
}

// Append writes a record that nothing else remembers. Its link comes first, and has the record's text: if the operator is ended between
// the two, the next one writes the record from there. It reports whether the link is there, also with an error: it is not to be appended
// again.
func (c *Chain) Append(ctx context.Context, record *audit.Record, linked bool, at time.Time) (bool, error) {
	text, err := record.Encode()
	if err != nil {
		return linked, err
	}
	if err := c.ready(ctx); err != nil {
		return linked, err
	}
	key := record.Key()
	if !linked {
		c.mu.Lock()
		err := c.appendNext(ctx, entry{key: key, text: text, whole: true}, at)
		c.mu.Unlock()
		if err != nil {
			return false, fmt.Errorf("appending the link of %s: %w", key, err)
		}
	}
	if err := c.restore(ctx, key, text); err != nil {
		return true, fmt.Errorf("writing %s: %w", key, err)
	}
	return true, nil
}

// restore writes a record that its link has whole. What is there already stays: verification shows if it is something else.
func (c *Chain) restore(ctx context.Context, key string, text []byte) error {
	err := c.store.Create(ctx, key, text)
	if c.store.Exists(err) {
		return nil
	}
	return err
}

// restoreLast writes the records that the last links have whole, if they are not there.
func (c *Chain) restoreLast(ctx context.Context, head *audit.Head) error {
	for sequence := head.Sequence; sequence > 0 && sequence > head.Sequence-lookBack; sequence-- {
		there, err := c.store.Read(ctx, audit.LinkKey(sequence))
		if c.store.NotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		if link, err := c.parse(there); err == nil && link.Record != "" {
			if err := c.restore(ctx, link.Key, []byte(link.Record)); err != nil {
				return fmt.Errorf("writing %s: %w", link.Key, err)
			}
		}
	}
	return nil
}

// entry is what a link is appended for.
type entry struct {
	key   string
	text  []byte
	whole bool // the link has the text
}

// ready finds the head of the chain before the first record is written.
func (c *Chain) ready(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.head != nil {
		return nil
	}
	if err := c.store.probe(ctx); err != nil {
		return fmt.Errorf("trying the store: %w", err)
	}
	head, err := c.findHead(ctx)
	if err == nil {
		err = c.restoreLast(ctx, head)
	}
	if err == nil {
		c.head = head
	}
	return err
}

// write creates the record's object, or returns the text of the record that is there.
func (c *Chain) write(ctx context.Context, own string, text []byte) (key string, there []byte, err error) {
	key = own
	for try := 2; try <= maxOther; try++ {
		err := c.store.Create(ctx, key, text)
		if err == nil || !c.store.Exists(err) {
			return key, nil, err
		}
		there, err := c.store.Read(ctx, key)
		if err != nil {
			return key, nil, err
		}
		same := bytes.Equal(there, text)
		if !same {
			same, err = c.signed(ctx, key, there)
		}
		if same || err != nil {
			return key, there, err
		}
		key = audit.OtherKey(own, try)
	}
	return key, nil, errors.New("something else is at all keys that it could have")
}

// signed reports whether a record that is there has a link.
func (c *Chain) signed(ctx context.Context, key string, text []byte) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.linked(ctx, key, text)
}

// link appends the record's link.
func (c *Chain) link(ctx context.Context, key string, text []byte, again bool, at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if again {
		if linked, err := c.linked(ctx, key, text); linked || err != nil {
			return err
		}
	}
	return c.appendNext(ctx, entry{key: key, text: text}, at)
}

// appendNext is called with the lock held.
func (c *Chain) appendNext(ctx context.Context, e entry, at time.Time) error {
	for range maxTaken {
		err := c.append(ctx, e, at)
		if err == nil || !c.store.Exists(err) {
			return err
		}
		done, err := c.follow(ctx, e.key, e.text)
		if done || err != nil {
			return err
		}
	}
	return fmt.Errorf("others have appended %d links meanwhile", maxTaken)
}

func (c *Chain) append(ctx context.Context, e entry, at time.Time) error {
	link, linked, err := audit.Append(*c.head, e.key, e.text, e.whole, at, c.private)
	if err != nil {
		return err
	}
	if err := c.store.Create(ctx, audit.LinkKey(link.Sequence), linked); err != nil {
		return err
	}
	c.move(audit.HeadOf(link, linked))
	return nil
}

// follow goes on to a link that somebody else has appended, which may be this record's: the answer to an earlier try was lost. What is
// no link of the operator's does not stop it: it keeps its number, and verification shows it.
func (c *Chain) follow(ctx context.Context, key string, text []byte) (done bool, err error) {
	sequence := c.head.Sequence + 1
	there, err := c.store.Read(ctx, audit.LinkKey(sequence))
	if err != nil {
		return false, err
	}
	c.move(audit.Head{Sequence: sequence, SHA256: audit.Digest(there)})
	return c.stands(there, key, text), nil
}

// linked reports whether one of the last links is the record's.
func (c *Chain) linked(ctx context.Context, key string, text []byte) (bool, error) {
	for sequence := c.head.Sequence; sequence > 0 && sequence > c.head.Sequence-lookBack; sequence-- {
		there, err := c.store.Read(ctx, audit.LinkKey(sequence))
		if c.store.NotFound(err) {
			continue
		}
		if err != nil {
			return false, err
		}
		if c.stands(there, key, text) {
			return true, nil
		}
	}
	return false, nil
}

// stands reports whether a link is the operator's, and stands for the record.
func (c *Chain) stands(link []byte, key string, text []byte) bool {
	parsed, err := c.parse(link)
	return err == nil && parsed.Key == key && parsed.SHA256 == audit.Digest(text)
}

func (c *Chain) parse(link []byte) (*audit.Link, error) {
	return audit.ParseLink(link, c.private.Public().(ed25519.PublicKey))
}

func (c *Chain) move(head audit.Head) {
	c.head = &head
	if c.anchor != nil {
		c.anchor.Remember(head)
	}
}

// findHead looks for the last link, from the one that is remembered on: in few steps, as numbers have no gaps. If the store ends before
// what is remembered, its end was cut off: the chain goes on from what is remembered, so that the gap stays to be seen.
func (c *Chain) findHead(ctx context.Context) (*audit.Head, error) {
	head := audit.Head{}
	if c.anchor != nil {
		known, err := c.anchor.Head(ctx)
		if err != nil {
			return nil, fmt.Errorf("what is remembered of the chain cannot be read: %w", err)
		}
		if known != nil {
			head = *known
		}
	}
	last, err := c.lastFrom(ctx, head.Sequence)
	if err != nil || last == head.Sequence {
		return &head, err
	}
	text, err := c.store.Read(ctx, audit.LinkKey(last))
	if err != nil {
		return nil, err
	}
	return &audit.Head{Sequence: last, SHA256: audit.Digest(text)}, nil
}

// lastFrom is the number of the last link, if the one of this number is there or was.
func (c *Chain) lastFrom(ctx context.Context, last int64) (int64, error) {
	step := int64(1)
	for { // twice as far each time, up to where there is none
		there, err := c.has(ctx, last+step)
		if err != nil {
			return 0, err
		}
		if !there {
			break
		}
		last, step = last+step, step*2
	}
	for none := last + step; none-last > 1; { // and then half as far
		middle := last + (none-last)/2
		there, err := c.has(ctx, middle)
		switch {
		case err != nil:
			return 0, err
		case there:
			last = middle
		default:
			none = middle
		}
	}
	return last, nil
}

func (c *Chain) has(ctx context.Context, sequence int64) (bool, error) {
	_, err := c.store.Read(ctx, audit.LinkKey(sequence))
	if c.store.NotFound(err) {
		return false, nil
	}
	return err == nil, err
}
