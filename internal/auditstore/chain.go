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

	// lookBack is how many of the last links are known: a record that has one of them is not stored again, and one whose writer was ended
	// between the two is written.
	lookBack = 256

	// atOnce is how many of them are looked at at a time.
	atOnce = 16
)

// Anchor remembers where the chain ends, apart from the store.
type Anchor interface {
	// Head is what was remembered last; nil if nothing was of this store.
	Head(ctx context.Context) (*audit.Head, error)
	// Remember is told of each new head. It does not wait.
	Remember(head audit.Head)
}

// Chain appends links, and writes the records that they stand for. Several may append to the same store: who comes second takes the next
// number.
type Chain struct {
	store   *Store
	private ed25519.PrivateKey
	anchor  Anchor

	mu        sync.Mutex // held while a link is appended
	head      *audit.Head
	recent    map[int64]recentLink // the last links
	unwritten map[string][]byte    // records whose links are there and which are not, by their keys
}

// recentLink is what is kept of a link.
type recentLink struct{ key, sha256 string }

// NewChain returns the chain of a store. The anchor may be nil.
func NewChain(store *Store, private ed25519.PrivateKey, anchor Anchor) *Chain {
	return &Chain{store: store, private: private, anchor: anchor, recent: map[int64]recentLink{}, unwritten: map[string][]byte{}}
}

// Stored is where a record is, and what it is.
type Stored struct {
	Key    string
	SHA256 string
}

// Put appends a record's link, and writes the record. The link comes first, and has the record's text: if the operator is ended between
// the two, the next one writes the record from there. So no record is ever without a link, and verification takes none for the operator's
// that is. The same record twice is there once; and a record that was stored already stays as it was, also if more is known by now.
func (c *Chain) Put(ctx context.Context, record *audit.Record, at time.Time) (Stored, error) {
	text, err := record.Encode()
	if err != nil {
		return Stored{}, err
	}
	if err := c.Ready(ctx); err != nil {
		return Stored{}, err
	}
	stored, err := c.link(ctx, record.Key(), text, at)
	if err != nil {
		return Stored{}, fmt.Errorf("appending the link of %s: %w", record.Key(), err)
	}
	if err := c.writeLinked(ctx, stored.Key); err != nil {
		return Stored{}, fmt.Errorf("writing %s: %w", stored.Key, err)
	}
	return stored, nil
}

// writeLinked writes a record whose link is there, unless that was done.
func (c *Chain) writeLinked(ctx context.Context, key string) error {
	c.mu.Lock()
	text, ok := c.unwritten[key]
	c.mu.Unlock()
	if !ok {
		return nil
	}
	if err := c.restore(ctx, key, text); err != nil {
		return err
	}
	c.mu.Lock()
	delete(c.unwritten, key)
	c.mu.Unlock()
	return nil
}

// restore writes a record that its link has whole. What is there already stays: verification shows if it is something else.
func (c *Chain) restore(ctx context.Context, key string, text []byte) error {
	err := c.store.Create(ctx, key, text)
	if c.store.Exists(err) {
		return nil
	}
	return err
}

// catchUp looks at the last links, and writes the records that are not there.
func (c *Chain) catchUp(ctx context.Context, head *audit.Head) error {
	var looking sync.WaitGroup
	links, errs := make([]*audit.Link, min(head.Sequence, lookBack)), make([]error, min(head.Sequence, lookBack))
	turns := make(chan struct{}, atOnce)
	for i := range links {
		looking.Go(func() {
			turns <- struct{}{}
			links[i], errs[i] = c.catchUpWith(ctx, head.Sequence-int64(i))
			<-turns
		})
	}
	looking.Wait()
	for i, link := range links {
		if link != nil {
			c.recent[head.Sequence-int64(i)] = recentLink{link.Key, link.SHA256}
		}
	}
	return errors.Join(errs...)
}

// catchUpWith writes the record of a link, if that is not there. It returns nil of what is no link of the operator's: verification shows it.
func (c *Chain) catchUpWith(ctx context.Context, sequence int64) (*audit.Link, error) {
	there, err := c.store.Read(ctx, audit.LinkKey(sequence))
	if c.store.NotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	link := c.parse(sequence, there)
	if link == nil || link.Record == "" { // before records were in their links they were written first
		return link, nil
	}
	if err := c.restore(ctx, link.Key, []byte(link.Record)); err != nil {
		return nil, fmt.Errorf("writing %s: %w", link.Key, err)
	}
	return link, nil
}

// Ready finds the head of the chain, and writes what an operator that was ended has not. It does so once.
func (c *Chain) Ready(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.head != nil {
		return nil
	}
	if err := c.store.probe(ctx); err != nil {
		return fmt.Errorf("testing the store: %w", err)
	}
	head, err := c.findHead(ctx)
	if err == nil {
		err = c.catchUp(ctx, head)
	}
	if err == nil {
		c.head = head
	}
	return err
}

// link appends a record's link, if it has none, and returns what the link that it then has stands for.
func (c *Chain) link(ctx context.Context, own string, text []byte, at time.Time) (Stored, error) {
	key := own
	for try := 2; try <= maxOther; try++ {
		free, err := c.free(ctx, key, text)
		if err != nil {
			return Stored{}, err
		}
		if free {
			return c.appendNext(ctx, key, text, at)
		}
		key = audit.OtherKey(own, try)
	}
	return Stored{}, errors.New("all of its possible keys already hold other content")
}

// free reports whether a record can be at a key: it is there, or nothing is.
func (c *Chain) free(ctx context.Context, key string, text []byte) (bool, error) {
	c.mu.Lock()
	_, own := c.linked(key)
	c.mu.Unlock()
	if own {
		return true, nil
	}
	there, err := c.store.Read(ctx, key)
	if c.store.NotFound(err) {
		return true, nil
	}
	return bytes.Equal(there, text), err
}

// linked is what one of the last links stands for. It is called with the lock held.
func (c *Chain) linked(key string) (Stored, bool) {
	for _, link := range c.recent {
		if link.key == key {
			return Stored{Key: link.key, SHA256: link.sha256}, true
		}
	}
	return Stored{}, false
}

// appendNext holds the lock while it appends a link: all that it calls is called with it.
func (c *Chain) appendNext(ctx context.Context, key string, text []byte, at time.Time) (Stored, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range maxTaken {
		if stored, ok := c.linked(key); ok {
			return stored, nil
		}
		link, linked, err := audit.Append(*c.head, key, text, at, c.private)
		if err != nil {
			return Stored{}, err
		}
		err = c.store.Create(ctx, audit.LinkKey(link.Sequence), linked)
		if c.store.Exists(err) {
			link, linked, err = c.follow(ctx)
		}
		if err != nil {
			return Stored{}, err
		}
		if link != nil && link.Key == key { // appended now; or by an earlier try, of which the answer was lost, or by another replica
			c.unwritten[key] = []byte(link.Record)
		}
		c.move(linked, link)
	}
	return Stored{}, fmt.Errorf("other writers appended %d links meanwhile", maxTaken)
}

// follow reads the next link, which is there already. It returns nil of what is no link of the operator's: that keeps its number, and
// verification shows it.
func (c *Chain) follow(ctx context.Context) (*audit.Link, []byte, error) {
	sequence := c.head.Sequence + 1
	there, err := c.store.Read(ctx, audit.LinkKey(sequence))
	if err != nil {
		return nil, nil, err
	}
	return c.parse(sequence, there), there, nil
}

// parse returns nil of what is not the operator's link of that number.
func (c *Chain) parse(sequence int64, text []byte) *audit.Link {
	link, err := audit.ParseLink(text, c.private.Public().(ed25519.PublicKey))
	if err != nil || link.Sequence != sequence {
		return nil
	}
	return link
}

// move goes on to the next link.
func (c *Chain) move(text []byte, link *audit.Link) {
	c.head = &audit.Head{Sequence: c.head.Sequence + 1, SHA256: audit.Digest(text)}
	delete(c.recent, c.head.Sequence-lookBack)
	if link != nil {
		c.recent[c.head.Sequence] = recentLink{link.Key, link.SHA256}
	}
	if c.anchor != nil {
		c.anchor.Remember(*c.head)
	}
}

// findHead looks for the last link, from the one that is remembered on: in few steps, as numbers have no gaps. If the store ends before
// what is remembered, its end was cut off: the chain goes on from what is remembered, so that the gap stays to be seen.
func (c *Chain) findHead(ctx context.Context) (*audit.Head, error) {
	head := audit.Head{}
	if c.anchor != nil {
		known, err := c.anchor.Head(ctx)
		if err != nil {
			return nil, fmt.Errorf("cannot read the saved head of the chain: %w", err)
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
