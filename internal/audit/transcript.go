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

// TranscriptKey is what the keys of the parts of a session's transcript begin with. It is known before the session is over: so the day is
// that of its start.
func TranscriptKey(session *v1alpha1.DebugSession) string {
	began := session.CreationTimestamp
	if session.Status.StartedAt != nil {
		began = *session.Status.StartedAt
	}
	return fmt.Sprintf("%s%s/%s/%s-%s/", TranscriptPrefix, began.UTC().Format(time.DateOnly), part(session.Namespace), part(session.Name), part(string(session.UID)))
}

// ReadTranscript writes the parts of a transcript one after another, and returns what they are: how many, their bytes and digest.
func ReadTranscript(ctx context.Context, store Reader, key string, to io.Writer) (*v1alpha1.TranscriptStatus, error) {
	keys, err := store.Keys(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", key, err)
	}
	found, sum := &v1alpha1.TranscriptStatus{Key: key, Parts: int32(len(keys))}, sha256.New()
	for _, part := range keys {
		text, err := store.Read(ctx, part)
		if store.NotFound(err) { // it was removed meanwhile
			found.Parts--
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
	if found.Parts > 0 {
		found.SHA256 = hex.EncodeToString(sum.Sum(nil))
	}
	return found, nil
}

// noteTranscript remembers the transcript that a record names.
func (v *verification) noteTranscript(sequence int64, record []byte) {
	if decoded, err := Decode(record); err == nil && decoded.Session != nil && decoded.Session.Transcript != nil {
		v.named = append(v.named, namedTranscript{sequence, decoded.Session.Transcript})
	}
}

// transcripts compares each transcript with the record that names it.
func (v *verification) transcripts(ctx context.Context) error {
	v.result.Transcripts = len(v.named)
	for _, named := range v.named {
		found, err := ReadTranscript(ctx, v.store, named.Key, io.Discard)
		switch {
		case err != nil:
			return err
		case found.Parts < named.Parts:
			v.fault(TranscriptRemoved, named.sequence, named.Key, "%d parts were written, but %d exist", named.Parts, found.Parts)
		case found.Parts > named.Parts:
			v.fault(TranscriptChanged, named.sequence, named.Key, "%d parts were written, but %d exist", named.Parts, found.Parts)
		case found.SHA256 != named.SHA256:
			v.fault(TranscriptChanged, named.sequence, named.Key, "the transcript differs from what was written")
		}
	}
	return nil
}
