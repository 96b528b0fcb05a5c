package command_test

import (
	"context"
	"crypto/ed25519"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/auditstore"
	"debugsession.dev/operator/internal/dbgcli/command"
	"debugsession.dev/operator/internal/fixture"
)

// hostile is a reason that would end the line, colour what follows, turn its order around, and be a formula.
const hostile = "=1+1\r\n\x1b[31mred\u009b2J\u202etxt"

// store is a folder with the records of three sessions and of a refusal.
func store(t *testing.T) (address string) {
	t.Helper()
	folder, _, chain := emptyStore(t)
	now := time.Now()
	ended := func(name, namespace, class, requester string, ago time.Duration) {
		session := fixture.Session()
		at := metav1.NewTime(now.Add(-ago).Truncate(time.Second))
		session.Name, session.Namespace, session.UID = name, namespace, types.UID(name+"-uid")
		session.Spec.ClassName, session.Spec.Requester.Username, session.Spec.Reason = class, requester, hostile
		session.Status.Phase, session.Status.EndedAt = v1alpha1.PhaseEnded, &at
		session.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionEnded, Reason: string(v1alpha1.OutcomeExpired)}}
		session.Status.Target = &v1alpha1.TargetStatus{Name: "web"}
		if _, err := chain.Put(t.Context(), audit.OfSession("eu-1", session, nil), now); err != nil {
			t.Fatal(err)
		}
	}
	ended("old", "shop", "standard", "alice", 100*24*time.Hour)
	ended("hang", "shop", "production", "alice", 2*time.Hour)
	ended("leak", "bank", "production", "bob", time.Hour)
	attempt := audit.AttemptOf(now, "DebugSession", "CREATE", "heist", []byte(`{"spec": {"className": "production"}}`),
		"mallory may not use class production")
	refusal := audit.NewRefusal("bank", audit.UserFrom(&authenticationv1.UserInfo{Username: "mallory"}), attempt)
	refusal.Add(attempt)
	if _, err := chain.Put(t.Context(), audit.OfRefusal("eu-1", refusal), now); err != nil {
		t.Fatal(err)
	}
	return "file://" + folder
}

// emptyStore is a folder to keep records in.
func emptyStore(t *testing.T) (folder string, kept *auditstore.Store, chain *auditstore.Chain) {
	t.Helper()
	folder = t.TempDir()
	kept, err := auditstore.Open(t.Context(), "file://"+folder)
	if err != nil {
		t.Fatal(err)
	}
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return folder, kept, auditstore.NewChain(kept, private, nil)
}

func dbgAudit(ctx context.Context, args ...string) (out, problems string, err error) {
	streams, _, stdout, stderr := genericiooptions.NewTestIOStreams()
	root := command.New(streams, "test")
	root.SetArgs(append([]string{"audit"}, args...))
	err = root.ExecuteContext(ctx)
	return stdout.String(), stderr.String(), err
}

// Each flag alone and together, in each format: the same records, the oldest first, each with what was refused.
func TestAuditList(t *testing.T) {
	at := store(t)
	for args, want := range map[string][]string{
		"":                                   {"old", "hang", "leak", "heist"},
		"--since=24h":                        {"hang", "leak", "heist"},
		"-n bank":                            {"leak", "heist"},
		"--namespace=shop --since=24h":       {"hang"},
		"--requester=alice":                  {"old", "hang"},
		"--requester=mallory":                {"heist"},
		"--class=production":                 {"hang", "leak", "heist"},
		"--class=production --requester=bob": {"leak"},
		"--class=standard --since=1h":        nil,
		"-n nowhere":                         nil,
		"--since=2000h --requester=alice -n shop": {"hang"},
	} {
		out, _, err := dbgAudit(t.Context(), append(strings.Fields(args), "list", "--store="+at, "-o", "csv")...)
		if err != nil {
			t.Fatalf("%s: %v", args, err)
		}
		rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
		if err != nil || len(rows) == 0 || rows[0][2] != "NAME" {
			t.Fatalf("%s: %v\n%s", args, err, out)
		}
		var names []string
		for _, row := range rows[1:] {
			names = append(names, row[2])
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s: csv has %q, want %q", args, names, want)
		}
		out, _, err = dbgAudit(t.Context(), append(strings.Fields(args), "list", "--store="+at, "-o", "json")...)
		var records []audit.Record
		if err != nil || json.Unmarshal([]byte(out), &records) != nil || len(records) != len(want) {
			t.Errorf("%s: json has %d records: %v", args, len(records), err)
		}
		out, problems, err := dbgAudit(t.Context(), append(strings.Fields(args), "list", "--store="+at)...)
		if lines := strings.Count(out, "\n"); err != nil || len(want) > 0 && lines != len(want)+1 ||
			len(want) == 0 && problems != "No records found.\n" {
			t.Errorf("%s: table:\n%s%s%v", args, out, problems, err)
		}
	}
}

// What a requester wrote does nothing to a terminal or a spreadsheet, and is in the JSON as it was.
func TestAuditListIsHarmless(t *testing.T) {
	at := store(t)
	for _, format := range []string{"", "csv", "json"} {
		out, _, err := dbgAudit(t.Context(), "list", "--store="+at, "--requester=bob", "-o", format)
		if err != nil || strings.ContainsAny(out, "\x1b\r\u009b\u202e") {
			t.Errorf("-o %s: %v\n%q", format, err, out)
		}
	}
	out, _, _ := dbgAudit(t.Context(), "list", "--store="+at, "--requester=bob", "-o", "csv")
	if rows, err := csv.NewReader(strings.NewReader(out)).ReadAll(); err != nil || !strings.HasPrefix(rows[1][10], "'=1+1") {
		t.Errorf("a formula: %q, %v", rows, err)
	}
	out, _, _ = dbgAudit(t.Context(), "list", "--store="+at, "--requester=bob", "-o", "json")
	var records []audit.Record
	if err := json.Unmarshal([]byte(out), &records); err != nil || len(records) != 1 || records[0].Session.Reason != hostile {
		t.Errorf("%v: %s", err, out)
	}
}

func TestAuditListShowsRefusals(t *testing.T) {
	out, _, err := dbgAudit(t.Context(), "list", "--store="+store(t), "--requester=mallory")
	if err != nil || !strings.Contains(out, audit.OutcomeRefused) || !strings.Contains(out, "2 times since") ||
		!strings.Contains(out, "may not use class production") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestAuditListMistakes(t *testing.T) {
	for args, want := range map[string]string{
		"list": "--store=URL", "list --store=file:///nowhere -o yaml": "must be json or csv",
		"list --store=nothing://x":                  "cannot open audit store",
		"verify --store=file:///nowhere --head=1:2": "--head needs --public-key",
	} {
		if _, _, err := dbgAudit(t.Context(), strings.Fields(args)...); err == nil || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s: %v", args, err)
		}
	}
}
