package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

// TranscriptPrefix is what the keys of transcripts begin with.
const TranscriptPrefix = "transcripts/"

// TranscriptKey is what the keys of the parts of a session's transcript begin with.
func TranscriptKey(session *v1alpha1.DebugSession) string {
	return keyOfSession(TranscriptPrefix, session) + "/"
}

// keyOfSession is what the keys of all that is stored in parts for a session begin with. It is known before the session is over: so the day
// is that of its start.
func keyOfSession(prefix string, session *v1alpha1.DebugSession) string {
	began := session.CreationTimestamp
	if session.Status.StartedAt != nil {
		began = *session.Status.StartedAt
	}
	return fmt.Sprintf("%s%s/%s/%s-%s", prefix, began.UTC().Format(time.DateOnly), part(session.Namespace), part(session.Name), part(string(session.UID)))
}

// Parts are what is stored in parts: how many there are, the bytes of all, and their digest, empty if there are none.
type Parts struct {
	Count  int32
	Bytes  int64
	SHA256 string
}

// ReadParts writes the parts of a transcript or an artifact one after another, and returns what they are.
func ReadParts(ctx context.Context, store Reader, key string, to io.Writer) (*Parts, error) {
	keys, err := store.Keys(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", key, err)
	}
	found, sum := &Parts{Count: int32(len(keys))}, sha256.New()
	for _, part := range keys {
		text, err := store.Read(ctx, part)
		if store.NotFound(err) { // it was removed meanwhile
			found.Count--
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", part, err)
		}
		sum.Write(text)
		found.Bytes += int64(len(text))
		if _, err := to.Write(text); err != nil {
			return nil, err
		}
	}
	if found.Count > 0 {
		found.SHA256 = hex.EncodeToString(sum.Sum(nil))
	}
	return found, nil
}

// namedParts are a transcript or an artifact as the record of a link names it.
type namedParts struct {
	sequence int64
	key      string
	Parts

	removed, changed FaultKind
	what             string
}

// noteNamed remembers the transcript and the artifacts that a record names.
func (v *verification) noteNamed(sequence int64, record []byte) {
	decoded, err := Decode(record)
	if err != nil || decoded.Session == nil {
		return
	}
	if made := decoded.Session.Transcript; made != nil {
		v.result.Transcripts++
		v.named = append(v.named, namedParts{sequence, made.Key, Parts{made.Parts, made.Bytes, made.SHA256}, TranscriptRemoved, TranscriptChanged, "transcript"})
	}
	for _, kept := range decoded.Session.Artifacts {
		if kept.State == v1alpha1.ArtifactKept {
			v.result.Artifacts++
			v.named = append(v.named, namedParts{sequence, kept.Key, Parts{kept.Parts, kept.Bytes, kept.SHA256}, ArtifactRemoved, ArtifactChanged, "file"})
		}
	}
}

// parts compares each transcript and artifact with the record that names it.
func (v *verification) parts(ctx context.Context) error {
	for i := range v.named {
		named := &v.named[i]
		found, err := ReadParts(ctx, v.store, named.key, io.Discard)
		switch {
		case err != nil:
			return err
		case found.Count < named.Count:
			v.fault(named.removed, named.sequence, named.key, "%d parts were written, but %d exist", named.Count, found.Count)
		case found.Count > named.Count:
			v.fault(named.changed, named.sequence, named.key, "%d parts were written, but %d exist", named.Count, found.Count)
		case found.SHA256 != named.SHA256:
			v.fault(named.changed, named.sequence, named.key, "the %s differs from what was written", named.what)
		}
	}
	return nil
}
