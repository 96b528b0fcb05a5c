package command_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/auditstore"
	"debugsession.dev/operator/internal/dbgcli/command"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/transcript"
)

// taped is a folder with the records of three sessions of one name: the first without a transcript, the second with plain text, the last
// with a cast of two parts. It returns the keys of their records.
func taped(t *testing.T) (folder string, keys []string) {
	t.Helper()
	folder, store, chain := emptyStore(t)
	for i, format := range []v1alpha1.TranscriptFormat{"", v1alpha1.TranscriptText, v1alpha1.TranscriptCast} {
		session, ended := fixture.Session(), metav1.NewTime(fixture.Created.Add(time.Duration(i)*time.Hour))
		session.Name, session.Namespace, session.UID = "hang", "shop", types.UID(rune('a'+i))
		session.Status.EndedAt = &ended
		if format != "" {
			session.Status.Transcript = tape(t, store, session, format)
		}
		stored, err := chain.Put(t.Context(), audit.OfSession("", session, nil), fixture.Created)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, stored.Key)
	}
	return folder, keys
}

func tape(t *testing.T, store *auditstore.Store, session *v1alpha1.DebugSession,
	format v1alpha1.TranscriptFormat) *v1alpha1.TranscriptStatus {
	t.Helper()
	encoder, key := transcript.NewEncoder(format, "shop/hang"), audit.TranscriptKey(session)
	for i, line := range []string{"/ # \x1b[31mls\r\n", "bin\r\n"} {
		at := fixture.Created.Add(time.Duration(i) * time.Minute)
		part := transcript.Part{Number: i + 1, Cursor: transcript.Cursor{At: at, Lines: 1}, Format: format}
		if err := store.Create(t.Context(), key+part.Name(),
			encoder.Append(nil, transcript.Chunk{At: at, Data: []byte(line)})); err != nil {
			t.Fatal(err)
		}
	}
	found, err := audit.ReadParts(t.Context(), store, key, &strings.Builder{})
	if err != nil {
		t.Fatal(err)
	}
	return &v1alpha1.TranscriptStatus{Key: key, Format: format, Parts: found.Count, Bytes: found.Bytes, SHA256: found.SHA256}
}

func TestReplay(t *testing.T) {
	folder, keys := taped(t)
	cast := "/ # \x1b[31mls\r\nbin\r\n\x1b[0m\x1b[?25h\x1b[?1049l"
	for args, want := range map[string]struct {
		out, fails string
		took       time.Duration
	}{
		"hang -n shop --idle-limit=0":         {out: cast, took: time.Minute},
		"hang":                                {out: cast, took: 2 * time.Second},
		"hang --idle-limit=10s --speed=4":     {out: cast, took: 2500 * time.Millisecond},
		"hang -o text":                        {out: "/ # ␛[31mls\nbin\n"},
		keys[1]:                               {out: "/ # ␛[31mls\nbin\n"},
		keys[1] + " -o cast":                  {fails: "plain text"},
		keys[0]:                               {fails: "session hang has no transcript"},
		"hang -n bank":                        {fails: `no record of session "hang"`},
		"records/2026-11-27/shop/hang-x.json": {fails: "record records/2026-11-27/shop/hang-x.json not found"},
		"hang --speed=0":                      {fails: "--speed=0: must be greater than 0"},
		"hang -o csv":                         {fails: "must be text or cast"},
	} {
		synctest.Test(t, func(t *testing.T) {
			streams, _, out, _ := genericiooptions.NewTestIOStreams()
			root := command.New(streams, "test")
			root.SetArgs(append([]string{"replay", "--store=file://" + folder}, strings.Fields(args)...))
			began := time.Now()
			err := root.ExecuteContext(t.Context())
			took := time.Since(began)
			switch {
			case want.fails != "" && (err == nil || !strings.Contains(err.Error(), want.fails)):
				t.Errorf("%s: %v, want %s", args, err, want.fails)
			case want.fails == "" && (err != nil || out.String() != want.out || took != want.took):
				t.Errorf("%s: %v, after %s: %q", args, err, took, out)
			}
		})
	}
}

// What somebody has changed is not played.
func TestReplayOfWhatWasChanged(t *testing.T) {
	folder, _ := taped(t)
	parts, err := filepath.Glob(filepath.Join(folder, "transcripts", "*", "shop", "hang-c", "*"))
	if err != nil || len(parts) != 2 {
		t.Fatalf("%v, %v", parts, err)
	}
	if err := os.WriteFile(parts[1], []byte("[60,\"o\",\"rm -rf /\\r\\n\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	streams, _, out, _ := genericiooptions.NewTestIOStreams()
	root := command.New(streams, "test")
	root.SetArgs([]string{"replay", "hang", "--store=file://" + folder})
	if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "is not what was written") || out.Len() > 0 {
		t.Errorf("%v: %q", err, out)
	}
}
