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

// noteNamed remembers the transcript and the files that a record names.
func (v *verification) noteNamed(sequence int64, record []byte) {
	decoded, err := Decode(record)
	if err != nil || decoded.Session == nil {
		return
	}
	v.noteArtifacts(sequence, decoded)
	if decoded.Session.Transcript != nil {
		v.named = append(v.named, namedTranscript{sequence, decoded.Session.Transcript})
	}
}

// noteArtifacts remembers the files that a record names.
func (v *verification) noteArtifacts(sequence int64, record *Record) {
	for i := range record.Session.Artifacts {
		if kept := &record.Session.Artifacts[i]; kept.State == v1alpha1.ArtifactKept {
			v.artifacts = append(v.artifacts, namedArtifact{sequence, kept})
		}
	}
}

// files compares each file that was kept with the record that names it.
func (v *verification) files(ctx context.Context) error {
	v.result.Artifacts = len(v.artifacts)
	for _, named := range v.artifacts {
		found, err := ReadTranscript(ctx, v.store, named.Key, io.Discard)
		switch {
		case err != nil:
			return err
		case found.Parts < named.Parts:
			v.fault(ArtifactRemoved, named.sequence, named.Key, "%d parts were written, but %d exist", named.Parts, found.Parts)
		case found.Parts > named.Parts:
			v.fault(ArtifactChanged, named.sequence, named.Key, "%d parts were written, but %d exist", named.Parts, found.Parts)
		case found.SHA256 != named.SHA256:
			v.fault(ArtifactChanged, named.sequence, named.Key, "the file differs from what was written")
		}
	}
	return nil
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
