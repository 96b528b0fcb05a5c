package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Query is which records are wanted. What is empty is not looked at.
type Query struct {
	Since                       time.Time // over then or later
	Namespace, Requester, Class string
	Session                     string // its name
}

// Read returns the records that a query wants, the oldest first. It believes what is in the store: see Verify.
func Read(ctx context.Context, store Reader, query Query) ([]*Record, error) {
	keys, err := store.Keys(ctx, Prefix)
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", Prefix, err)
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
			unreadable = fmt.Errorf("%s is not a valid audit record: %w; to investigate, run: kubectl dbg audit verify", key, err)
		case err == nil && query.wants(record):
			found = append(found, record)
		}
	})
	if err == nil {
		err = unreadable
	}
	slices.SortStableFunc(found, func(a, b *Record) int { return a.Time().Compare(b.Time()) })
	return found, err
}

// mayBe judges by a key, so that not all records have to be read.
func (q *Query) mayBe(key string) bool {
	parts := strings.Split(strings.TrimPrefix(key, Prefix), "/")
	if len(parts) != 3 {
		return false
	}
	return (q.Since.IsZero() || parts[0] >= q.Since.UTC().Format(time.DateOnly)) && (q.Namespace == "" || parts[1] == part(q.Namespace)) &&
		(q.Session == "" || strings.HasPrefix(parts[2], part(q.Session)+"-"))
}

func (q *Query) wants(r *Record) bool {
	namespace, name, requester, inClass := "", "", "", false
	if s := r.Session; s != nil {
		namespace, name, requester, inClass = s.Namespace, s.Name, s.Requester.Username, s.Spec.ClassName == q.Class
	}
	if late := r.Review; late != nil {
		namespace, requester, inClass = late.Namespace, late.Requester.Username, late.Class == q.Class
	}
	if refused := r.Refusal; refused != nil {
		namespace, requester = refused.Namespace, refused.User.Username
		inClass = slices.ContainsFunc(refused.Attempts, func(a Attempt) bool { return a.Class == q.Class })
	}
	return !r.Time().Before(q.Since) && (q.Namespace == "" || namespace == q.Namespace) &&
		(q.Session == "" || name == q.Session) && (q.Requester == "" || requester == q.Requester) && (q.Class == "" || inClass)
}
