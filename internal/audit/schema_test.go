package audit

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"
	"k8s.io/utils/ptr"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
)

// full is a session that tells of everything, and its approval.
func full() (*v1alpha1.DebugSession, []v1alpha1.DebugApproval) {
	now := metav1.NewTime(at)
	session := fixture.Session(fixture.TTL(1800e9))
	session.DeletionTimestamp, session.Spec.Reason = &now, "INC-1234"
	session.Spec.Requester = &v1alpha1.Identity{
		Username: "alice", UID: "1", Groups: []string{"sre"}, Extra: map[string]v1alpha1.ExtraValue{"scopes": {"a"}}, Seal: "sealed",
	}
	session.Status = v1alpha1.DebugSessionStatus{
		Phase: v1alpha1.PhaseEnded, Outcome: v1alpha1.OutcomeTerminated, StartedAt: &now, ExpiresAt: &now, HardDeadline: &now,
		EndedAt:    &now,
		Conditions: []metav1.Condition{{Type: v1alpha1.ConditionEnded, Reason: "Terminated", Message: "spec.end was set to true"}},
		Class:      &v1alpha1.ClassStatus{Name: "standard", Audit: v1alpha1.AuditRequired},
		Request:    &v1alpha1.RequestStatus{Hash: "sha256:1", Since: now},
		Access:     &v1alpha1.AccessStatus{Name: "a"},
		Review: &v1alpha1.ReviewStatus{
			Since: now, DueAt: now, NextReminder: &now, Decision: v1alpha1.DecisionApprove, By: "bob", At: &now, AfterEnd: true,
		},
		Armed:  &v1alpha1.ArmedStatus{Selector: "app=web"},
		Target: &v1alpha1.TargetStatus{Name: "web", PodName: "web", PodUID: "2"},
		Debugger: &v1alpha1.DebuggerStatus{
			PodName: "web", ContainerName: "debugger", ImageID: "sha256:3", StartedAt: &now, FinishedAt: &now, ExitCode: ptr.To[int32](137),
			StoppedBy: v1alpha1.StoppedByOperator,
		},
		Transcript: &v1alpha1.TranscriptStatus{
			Key: "transcripts/2026-11-27/shop/hang-1/", Format: v1alpha1.TranscriptCast, Parts: 2, Bytes: 100, SHA256: "5ha", Cut: true,
			Incomplete: "its pod was gone",
		},
		Artifacts: []v1alpha1.ArtifactStatus{
			{Path: "/tmp/a", State: v1alpha1.ArtifactKept, Key: "artifacts/2026-11-27/shop/hang-1/0/", Parts: 1, Bytes: 3, SHA256: "5ha"},
			{Path: "/tmp/b", State: v1alpha1.ArtifactMissing, Message: "there is none"},
		},
		Warnings: []string{"a warning"},
	}
	session.Status.Changes = []v1alpha1.ChangeStatus{{By: "alice", At: now, TTL: &v1alpha1.Duration{Duration: 3600e9}},
		{By: "carol", At: now, End: true}}
	session.Status.DeletedBy = &v1alpha1.DeletionStatus{By: "dave", At: now}
	approval := fixture.Approval("yes", session, v1alpha1.DecisionApprove, at)
	approval.Spec.Reason = "go ahead"
	session.Status.Members = []v1alpha1.MemberStatus{{Name: "hang-3f09a1", UID: "1", PodName: "web", PodUID: "2", Phase: v1alpha1.PhaseEnded, Outcome: v1alpha1.OutcomeCompleted}}
	session.Status.Approvals = []v1alpha1.ApprovalStatus{
		{Name: "yes", By: "bob", At: now, Decision: v1alpha1.DecisionApprove, TTL: &v1alpha1.Duration{Duration: 1800e9}},
	}
	late := fixture.Approval("late", session, v1alpha1.DecisionDeny, at)
	return session, []v1alpha1.DebugApproval{*approval, *late}
}

// Every record is as the published schema says, and the schema knows no field that no record has.
func TestSchema(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "audit.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	schema := &spec.Schema{}
	if err := json.Unmarshal(text, schema); err != nil {
		t.Fatal(err)
	}
	var named struct {
		ID string `json:"$id"`
	}
	if err := json.Unmarshal(text, &named); err != nil || named.ID != SchemaURI {
		t.Errorf("its $id is %q (%v)", named.ID, err)
	}
	validator := validate.NewSchemaValidator(schema, nil, "", strfmt.Default)
	session, approvals := full()
	refusal := NewRefusal("shop", UserFrom(&authenticationv1.UserInfo{Username: "mallory", UID: "1", Groups: []string{"sre"}}),
		AttemptOf(at, "DebugSession", "CREATE", "hang", []byte(`{"spec": {"className": "production"}}`), "no"))
	refusal.Omitted = 2
	for name, record := range map[string]*Record{
		"full": OfSession("eu-1", session, approvals), "bare": OfSession("", fixture.Session(), nil),
		"refusal": OfRefusal("eu-1", refusal),
		"review":  OfReview("eu-1", session, Reference{Key: "records/a.json", SHA256: "1"}, approvals),
	} {
		text, err := record.Encode()
		if err != nil {
			t.Fatal(err)
		}
		var data map[string]any
		if err := json.Unmarshal(text, &data); err != nil {
			t.Fatal(err)
		}
		if result := validator.Validate(data); !result.IsValid() {
			t.Errorf("%s: %v", name, result.AsError())
		}
		for _, of := range []string{"session", "refusal", "review"} {
			for field := range schema.Properties[of].Properties {
				found, _ := data[of].(map[string]any)
				if _, there := found[field]; found != nil && name != "bare" && !there {
					t.Errorf("%s: no record has %s", of, field)
				}
			}
		}
		data["another"] = true
		if validator.Validate(data).IsValid() {
			t.Errorf("%s: a field that is not in the schema is taken", name)
		}
	}
}

// The record has what approvers said, also if it did not count, and no seal; it is the same before and after the session says Ended.
func TestRecordTellsAll(t *testing.T) {
	session, approvals := full()
	record := OfSession("eu-1", session, approvals)
	s := record.Session
	if len(s.Approvals) != 2 || !s.Approvals[0].Counted || s.Approvals[0].Reason != "go ahead" ||
		s.Approvals[0].Approver.Username != "bob" || s.Approvals[1].Counted {
		t.Errorf("approvals: %+v", s.Approvals)
	}
	text, err := record.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var fields struct{ Session struct{ Spec map[string]any } }
	if err := json.Unmarshal(text, &fields); err != nil || fields.Session.Spec["requester"] != nil {
		t.Errorf("%v: %s", err, text)
	}
	session.Status.Approvals[0].Reason = "go ahead, said the status"
	if deleted := OfSession("eu-1", session, nil).Session.Approvals; len(deleted) != 1 || deleted[0].Reason != "go ahead, said the status" {
		t.Errorf("of an approval that was deleted: %+v", deleted)
	}
	waiting := session.DeepCopy()
	waiting.Status.Phase, waiting.Status.Outcome = v1alpha1.PhaseEnding, ""
	before, err := OfSession("eu-1", waiting, approvals).Encode()
	if err != nil || string(before) != string(text) {
		t.Errorf("%v: before it had ended:\n%s\nand then:\n%s", err, before, text)
	}
	decoded, err := Decode(text)
	if err != nil || decoded.Key() != record.Key() {
		t.Errorf("decoded: %+v, %v", decoded, err)
	}
}

// A review after the end has a record of its own, beside the session's in a listing of the day.
func TestReviewHasItsOwnRecord(t *testing.T) {
	session, approvals := full()
	if !ReviewedLate(session) || ReviewedLate(fixture.Session()) {
		t.Error("a review after the end is not known")
	}
	own := OfSession("eu-1", session, approvals)
	late := OfReview("eu-1", session, Reference{Key: own.Key(), SHA256: "1"}, approvals)
	if late.Key() != strings.TrimSuffix(own.Key(), ".json")+".review.json" || !late.Time().Equal(at) {
		t.Errorf("%s, at %s", late.Key(), late.Time())
	}
	r := late.Review
	if r.By != "bob" || r.Decision != v1alpha1.DecisionApprove || len(r.Approvals) != 2 || r.Approvals[0].Reason != "go ahead" ||
		r.Session.Key != own.Key() {
		t.Errorf("%+v", r)
	}
	text, err := late.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if decoded, err := Decode(text); err != nil || decoded.Key() != late.Key() {
		t.Errorf("%+v, %v", decoded, err)
	}
	two := *late
	two.Session = own.Session
	if text, err = two.Encode(); err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(text); err == nil {
		t.Error("a record of two things is taken")
	}
	for _, query := range []Query{{Class: session.Spec.ClassName}, {Requester: "alice"}, {Namespace: session.Namespace}} {
		if !query.wants(late) {
			t.Errorf("not found by %+v", query)
		}
	}
	if (&Query{Requester: "bob"}).wants(late) {
		t.Error("found as its reviewer's session")
	}
}

// What the refused have sent is told in bounds, without the seal that somebody may have been given.
func TestRefusalIsBounded(t *testing.T) {
	long := strings.Repeat("ä", 1<<16)
	object := []byte(`{"spec": {"className": "` + long +
		`", "requester": {"username": "alice", "seal": "sealed"}, "reason": "` + long + `"}}`)
	user := UserFrom(&authenticationv1.UserInfo{
		Username: long,
		Groups:   make([]string, 5000),
		Extra:    map[string]authenticationv1.ExtraValue{"scopes": {long}, long: {"a"}},
	})
	attempt := AttemptOf(at, "DebugSession", "CREATE", long, object, long)
	refusal := NewRefusal("shop", user, attempt)
	for range 1000 {
		refusal.Add(attempt)
	}
	text, err := OfRefusal("", refusal).Encode()
	if err != nil || len(text) > 128<<10 || strings.Contains(string(text), "sealed") || refusal.Count != 1001 {
		t.Errorf("%d bytes, %d times: %v", len(text), refusal.Count, err)
	}
	decoded, err := Decode(text)
	if err != nil || decoded.Key() != OfRefusal("", refusal).Key() ||
		!strings.HasPrefix(decoded.Key(), "records/2026-11-27/shop/refused-") {
		t.Errorf("%+v: %v", decoded, err)
	}
	if unreadable := AttemptOf(at, "DebugSession", "CREATE", "hang", []byte(`{"spec": 1`), "no"); unreadable.Spec != "" ||
		unreadable.Message != "no" {
		t.Errorf("%+v", unreadable)
	}
}
