package command

import (
	"context"
	"fmt"
	"strings"

	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/auditstore"
	"debugsession.dev/operator/internal/plaintext"
)

// findRecord finds the record that is meant: by its key, or the newest of a session's name.
func (e *environment) findRecord(ctx context.Context, store *auditstore.Store, name string) (*audit.Record, error) {
	if strings.HasPrefix(name, audit.Prefix) {
		text, err := store.Read(ctx, name)
		if store.NotFound(err) {
			return nil, fmt.Errorf("record %s not found", name)
		}
		if err != nil {
			return nil, err
		}
		record, err := audit.Decode(text)
		if err != nil || record.Session == nil {
			return nil, fmt.Errorf("%s is not the record of a session", name)
		}
		return record, nil
	}
	query := audit.Query{Session: name}
	if e.config.Namespace != nil {
		query.Namespace = *e.config.Namespace
	}
	records, err := audit.Read(ctx, store, query)
	switch {
	case err != nil:
		return nil, err
	case len(records) == 0:
		return nil, fmt.Errorf("the store has no record of session %q: it is written when the session ends; kubectl dbg audit list shows all records", name)
	}
	newest := records[len(records)-1]
	if len(records) > 1 {
		fmt.Fprintf(e.ErrOut, "There are %d sessions with this name; showing the latest, %s\n", len(records), plaintext.Line(newest.Key()))
	}
	return newest, nil
}
