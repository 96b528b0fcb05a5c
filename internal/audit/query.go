package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Query is which records of sessions are wanted. What is empty is not looked at.
type Query struct {
	Since                       time.Time // ended then or later
	Namespace, Requester, Class string
}

// Read returns the records of sessions that a query wants, the oldest first. It believes what is in the store: see Verify.
func Read(ctx context.Context, store Reader, query Query) ([]*Record, error) {
	keys, err := store.Keys(ctx, SessionPrefix)
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", SessionPrefix, err)
	}
	keys = slices.DeleteFunc(keys, func(key string) bool { return !query.mayBe(key) })
	found := []*Record{}
	var unreadable error
	err = readAll(ctx, store, keys, func(key string, text []byte, missing bool) {
		if missing {
			return
		}
		record, err := Decode(text)
		switch {
		case err != nil && unreadable == nil:
			unreadable = fmt.Errorf("%s is not as the operator writes records: %w; find out more with kubectl dbg audit verify", key, err)
		case err == nil && query.wants(record.Session):
			found = append(found, record)
		}
	})
	if err == nil {
		err = unreadable
	}
	slices.SortStableFunc(found, func(a, b *Record) int { return a.Session.Times.Ended.Compare(b.Session.Times.Ended) })
	return found, err
}

// mayBe judges by a key, so that not all records have to be read.
func (q *Query) mayBe(key string) bool {
	parts := strings.Split(strings.TrimPrefix(key, SessionPrefix), "/")
	if len(parts) != 3 {
		return false
	}
	return (q.Since.IsZero() || parts[0] >= q.Since.UTC().Format(time.DateOnly)) && (q.Namespace == "" || parts[1] == part(q.Namespace))
}

func (q *Query) wants(s *Session) bool {
	return !s.Times.Ended.Before(q.Since) && (q.Namespace == "" || s.Namespace == q.Namespace) &&
		(q.Requester == "" || s.Requester.Username == q.Requester) && (q.Class == "" || s.Spec.ClassName == q.Class)
}
