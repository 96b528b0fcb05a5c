package seal_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/seal"
)

var sealer = seal.New([]byte("a key of thirty-two bytes length"))

func sealed(options ...fixture.SessionOption) *v1alpha1.DebugSession {
	session := fixture.Session(options...)
	session.Spec.ClassName = "standard"
	session.Spec.Requester = &v1alpha1.Identity{Username: "alice", UID: "1", Groups: []string{"dev", "system:authenticated"}}
	session.Spec.Requester.Seal = sealer.Session(session.Namespace, &session.Spec)
	return session
}

func TestSessionKeepsItsSeal(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.DebugSession){
		"as it is":           func(*v1alpha1.DebugSession) {},
		"ttl":                func(s *v1alpha1.DebugSession) { s.Spec.TTL = &metav1.Duration{Duration: time.Hour} },
		"end":                fixture.End,
		"metadata":           func(s *v1alpha1.DebugSession) { s.Labels, s.Name = map[string]string{"a": "b"}, "generated" },
		"status":             func(s *v1alpha1.DebugSession) { s.Status.Phase = v1alpha1.PhaseEnded },
		"empty for left out": func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Args = []string{} },
	} {
		t.Run(name, func(t *testing.T) {
			session := sealed()
			change(session)
			if !sealer.VerifySession(session) {
				t.Error("the seal is broken")
			}
		})
	}
}

func TestSessionLosesItsSeal(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.DebugSession){
		"requester's name":   func(s *v1alpha1.DebugSession) { s.Spec.Requester.Username = "bob" },
		"requester's uid":    func(s *v1alpha1.DebugSession) { s.Spec.Requester.UID = "2" },
		"requester's groups": func(s *v1alpha1.DebugSession) { s.Spec.Requester.Groups = []string{"dev", "system:masters"} },
		"no requester":       func(s *v1alpha1.DebugSession) { s.Spec.Requester = nil },
		"no seal":            func(s *v1alpha1.DebugSession) { s.Spec.Requester.Seal = "" },
		"namespace":          func(s *v1alpha1.DebugSession) { s.Namespace = "kube-system" },
		"class":              func(s *v1alpha1.DebugSession) { s.Spec.ClassName = "privileged" },
		"target":             func(s *v1alpha1.DebugSession) { s.Spec.Target.PodName = "neighbour" },
		"image":              func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Image = "evil" },
		"mode":               func(s *v1alpha1.DebugSession) { s.Spec.Mode = v1alpha1.ModePodCopy },
		"access": func(s *v1alpha1.DebugSession) {
			s.Spec.Access = &v1alpha1.Access{Subjects: []v1alpha1.Subject{{Kind: v1alpha1.SubjectUser, Name: "bob"}}}
		},
		"notAfter": func(s *v1alpha1.DebugSession) { s.Spec.NotAfter = &metav1.Time{Time: fixture.Created} },
	} {
		t.Run(name, func(t *testing.T) {
			session := sealed()
			change(session)
			if sealer.VerifySession(session) {
				t.Error("the seal still holds")
			}
		})
	}
}

func TestSealNeedsTheKey(t *testing.T) {
	session := sealed()
	if seal.New([]byte("another key of thirty-two bytes.")).VerifySession(session) {
		t.Error("another key verifies the seal")
	}
}

func TestHashKey(t *testing.T) {
	key, other := sealer.HashKey(), seal.New([]byte("another key of thirty-two bytes.")).HashKey()
	if bytes.Equal(key, other) || !bytes.Equal(key, sealer.HashKey()) || bytes.Contains(key, []byte("a key of")) {
		t.Errorf("%x and %x", key, other)
	}
}

// What the API server holds may be written in other words than what Go writes.
func TestSealSurvivesOtherSpellings(t *testing.T) {
	session := sealed(fixture.AsCopy(), func(s *v1alpha1.DebugSession) {
		s.Spec.Debugger.Resources = &corev1.ResourceRequirements{
			Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m"), corev1.ResourceMemory: resource.MustParse("1Gi")},
		}
		s.Spec.NotAfter = &metav1.Time{Time: time.Date(2026, time.December, 1, 17, 0, 0, 0, time.UTC)}
	})
	for name, spec := range map[string]string{
		"quantities": `{"debugger":{"resources":{"limits":{"cpu":"0.5","memory":"1024Mi"}}}}`,
		"times":      `{"notAfter":"2026-12-01T18:00:00+01:00"}`,
		"durations":  `{"ttl":"90m"}`,
		"empty":      `{"reason":"","debugger":{"args":[],"envFrom":[]}}`,
		"null":       `{"access":null}`,
	} {
		t.Run(name, func(t *testing.T) {
			other := session.DeepCopy()
			if err := json.Unmarshal([]byte(spec), &other.Spec); err != nil {
				t.Fatal(err)
			}
			if !sealer.VerifySession(other) {
				t.Error("the seal is broken")
			}
		})
	}
}

func TestApproval(t *testing.T) {
	approval := &v1alpha1.DebugApproval{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "yes"},
		Spec: v1alpha1.DebugApprovalSpec{
			SessionName: "hang", Decision: v1alpha1.DecisionApprove, SessionUID: "u", RequestHash: "h",
			TTL: &metav1.Duration{Duration: time.Hour}, Approver: &v1alpha1.Identity{Username: "bob"},
		},
	}
	approval.Spec.Approver.Seal = sealer.Approval("shop", &approval.Spec)
	if !sealer.VerifyApproval(approval) {
		t.Fatal("the seal is broken from the start")
	}
	for name, change := range map[string]func(*v1alpha1.DebugApproval){
		"approver":     func(a *v1alpha1.DebugApproval) { a.Spec.Approver.Username = "mallory" },
		"no approver":  func(a *v1alpha1.DebugApproval) { a.Spec.Approver = nil },
		"session":      func(a *v1alpha1.DebugApproval) { a.Spec.SessionUID = "v" },
		"session name": func(a *v1alpha1.DebugApproval) { a.Spec.SessionName = "other" },
		"hash":         func(a *v1alpha1.DebugApproval) { a.Spec.RequestHash = "i" },
		"ttl":          func(a *v1alpha1.DebugApproval) { a.Spec.TTL = &metav1.Duration{Duration: 2 * time.Hour} },
		"decision":     func(a *v1alpha1.DebugApproval) { a.Spec.Decision = v1alpha1.DecisionDeny },
		"namespace":    func(a *v1alpha1.DebugApproval) { a.Namespace = "other" },
	} {
		t.Run(name, func(t *testing.T) {
			forged := approval.DeepCopy()
			change(forged)
			if sealer.VerifyApproval(forged) {
				t.Error("the seal still holds")
			}
		})
	}
}

// A session's seal must not do for an approval.
func TestKindsDoNotShareSeals(t *testing.T) {
	if sealer.Session("shop", &v1alpha1.DebugSessionSpec{}) == sealer.Approval("shop", &v1alpha1.DebugApprovalSpec{}) {
		t.Error("two kinds have the same seal")
	}
}

// A change counts for the session and for the ttl and end that it was sealed for, and for nobody else.
func TestChange(t *testing.T) {
	s, at := seal.New([]byte("key")), time.Date(2026, 11, 27, 12, 0, 0, 5, time.FixedZone("there", 3600))
	changed := func(edit func(*v1alpha1.DebugSession)) *v1alpha1.DebugSession {
		session := &v1alpha1.DebugSession{
			ObjectMeta: metav1.ObjectMeta{UID: "1"},
			Spec:       v1alpha1.DebugSessionSpec{TTL: &metav1.Duration{Duration: time.Hour}, End: true},
		}
		session.Annotations = map[string]string{v1alpha1.AnnotationChangedBy: s.Change(session, `ali"ce`, at)}
		edit(session)
		return session
	}
	change := s.VerifyChange(changed(func(*v1alpha1.DebugSession) {}))
	if change == nil || change.By != `ali"ce` || !change.End || change.TTL.Duration != time.Hour ||
		!change.At.Time.Equal(at.Truncate(time.Second)) {
		t.Fatalf("%+v", change)
	}
	for what, edit := range map[string]func(*v1alpha1.DebugSession){
		"another session": func(o *v1alpha1.DebugSession) { o.UID = "2" },
		"another ttl":     func(o *v1alpha1.DebugSession) { o.Spec.TTL.Duration++ },
		"no ttl":          func(o *v1alpha1.DebugSession) { o.Spec.TTL = nil },
		"not ended":       func(o *v1alpha1.DebugSession) { o.Spec.End = false },
		"no change":       func(o *v1alpha1.DebugSession) { o.Annotations = nil },
		"no JSON":         func(o *v1alpha1.DebugSession) { o.Annotations[v1alpha1.AnnotationChangedBy] = "alice" },
		"no seal": func(o *v1alpha1.DebugSession) {
			o.Annotations[v1alpha1.AnnotationChangedBy] = `5:alice {"at":"2026-11-27T11:00:00Z","end":true,"ttl":"1h"}`
		},
		"another's name": func(o *v1alpha1.DebugSession) { edited(o, "ali", "bob") },
		"another length": func(o *v1alpha1.DebugSession) { edited(o, "6:", "5:") },
		"no length":      func(o *v1alpha1.DebugSession) { edited(o, "6:", "") },
		"a long length":  func(o *v1alpha1.DebugSession) { edited(o, "6:", "4000:") },
		"below nothing":  func(o *v1alpha1.DebugSession) { edited(o, "6:", "-1:") },
		"another time":   func(o *v1alpha1.DebugSession) { edited(o, "2026", "2025") },
		"without a bound": func(o *v1alpha1.DebugSession) {
			o.Annotations[v1alpha1.AnnotationChangedBy] += strings.Repeat(" ", 4096)
		},
		"of another's key": func(o *v1alpha1.DebugSession) {
			o.Annotations[v1alpha1.AnnotationChangedBy] = seal.New([]byte("other")).Change(o, "alice", at)
		},
	} {
		if change := s.VerifyChange(changed(edit)); change != nil {
			t.Errorf("%s: %+v", what, change)
		}
	}
}

func edited(session *v1alpha1.DebugSession, old, with string) {
	session.Annotations[v1alpha1.AnnotationChangedBy] = strings.Replace(session.Annotations[v1alpha1.AnnotationChangedBy], old, with, 1)
}
