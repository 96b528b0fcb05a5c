package audit

import (
	"context"
	"fmt"
	"io"
	"strings"

	"debugsession.dev/operator/api/v1alpha1"
)

// ArtifactPrefix is what the keys of the files begin with that sessions keep.
const ArtifactPrefix = "artifacts/"

// ArtifactKey is what the keys of the parts of a session's file begin with, by its place among the files: what it is called, which its
// debugger's author chose, is no part of a key.
func ArtifactKey(session *v1alpha1.DebugSession, index int) string {
	return fmt.Sprintf("%s/%d/", keyOfSession(ArtifactPrefix, session), index)
}

// ArtifactPart is the key of a part of a file, counted from 1.
func ArtifactPart(key string, number int32) string { return fmt.Sprintf("%s%06d.bin", key, number) }

// ReadArtifact writes a file that a record names to a writer, part by part, and fails if it is not what was written. What was written until then
// is not to be used.
func ReadArtifact(ctx context.Context, store Reader, named *v1alpha1.ArtifactStatus, to io.Writer) error {
	if !strings.HasPrefix(named.Key, ArtifactPrefix) {
		return fmt.Errorf("%q is not the key of an artifact", named.Key)
	}
	found, err := ReadParts(ctx, store, named.Key, to)
	switch {
	case err != nil:
		return err
	case found.Count != named.Parts:
		return fmt.Errorf("the artifact at %s is not what was written: %d parts were written, %d were found; kubectl dbg audit verify shows the details", named.Key, named.Parts, found.Count)
	case found.SHA256 != named.SHA256:
		return fmt.Errorf("the artifact at %s is not what was written: its SHA-256 differs; kubectl dbg audit verify shows the details", named.Key)
	}
	return nil
}
