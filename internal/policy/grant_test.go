package policy_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/policy"
)

func TestGrant(t *testing.T) {
	session := fixture.Session()
	t.Run("where the class says nothing", func(t *testing.T) {
		granted := policy.Grant(fixture.Class(), &session.Spec)
		if granted.TTL.Duration != policy.DefaultTTL || granted.MaxTTL.Duration != 24*time.Hour ||
			granted.Profile != v1alpha1.ProfileGeneral {
			t.Errorf("granted %+v", granted)
		}
		if granted.ApprovalsRequired != 0 ||
			!slices.Equal(granted.AccessVerbs, []v1alpha1.AccessVerb{v1alpha1.AccessAttach, v1alpha1.AccessLogs}) {
			t.Errorf("granted %+v", granted)
		}
	})
	t.Run("never longer than the class allows", func(t *testing.T) {
		short := fixture.Class(func(c *v1alpha1.DebugClassSpec) { c.MaxTTL = *duration(time.Minute) })
		if ttl := policy.Grant(short, &session.Spec).TTL.Duration; ttl != time.Minute {
			t.Errorf("granted %s", ttl)
		}
	})
	t.Run("an image in full where images are restricted", func(t *testing.T) {
		restricted := fixture.Class(func(c *v1alpha1.DebugClassSpec) { c.Images = []string{"busybox"} })
		spec := session.Spec.DeepCopy()
		spec.Debugger.Image = "busybox"
		if image := policy.Grant(restricted, spec).Image; image != "docker.io/library/busybox:latest" {
			t.Errorf("granted %s", image)
		}
	})
	t.Run("no approvals to whom the class exempts", func(t *testing.T) {
		class := fixture.Class(fixture.Approvals(2))
		if required := policy.Grant(class, &session.Spec).ApprovalsRequired; required != 2 {
			t.Errorf("%d approvals", required)
		}
		class.Spec.Approval.Exempt = []v1alpha1.Subject{{Kind: v1alpha1.SubjectUser, Name: session.Spec.Requester.Username}}
		if required := policy.Grant(class, &session.Spec).ApprovalsRequired; required != 0 {
			t.Errorf("%d approvals", required)
		}
	})
}

func TestLessenNeverGivesMore(t *testing.T) {
	memory := func(most string) *v1alpha1.ResourceBounds {
		return &v1alpha1.ResourceBounds{Pod: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(most)}}
	}
	wide := fixture.Class(func(c *v1alpha1.DebugClassSpec) { c.Resources = memory("2Gi") })
	narrow := &v1alpha1.ClassAllows{Volumes: true, Resources: memory("1Gi")}
	lessened := policy.Lessen(narrow, wide)
	if lessened.SecurityContext || !lessened.Volumes || lessened.Resources.Pod.Memory().String() != "1Gi" {
		t.Errorf("a class that was widened gives %+v", lessened)
	}
	strict := fixture.Class(func(c *v1alpha1.DebugClassSpec) { c.AllowVolumes, c.Resources = false, memory("512Mi") })
	if lessened = policy.Lessen(narrow, strict); lessened.Volumes || lessened.Resources.Pod.Memory().String() != "512Mi" {
		t.Errorf("a class that was narrowed gives %+v", lessened)
	}
}

func TestRevalidate(t *testing.T) {
	class := fixture.Class(fixture.Approvals(1), func(c *v1alpha1.DebugClassSpec) {
		c.Access = &v1alpha1.AccessPolicy{Verbs: []v1alpha1.AccessVerb{v1alpha1.AccessAttach, v1alpha1.AccessExec}}
		c.Approval.SelfApproval = true
	})
	session := fixture.Session()
	granted := policy.Grant(class, &session.Spec)
	for name, tc := range map[string]struct {
		edit func(*v1alpha1.DebugClassSpec)
		says string // empty: it still holds
	}{
		"as it was": {func(*v1alpha1.DebugClassSpec) {}, ""},
		"widened":   {func(c *v1alpha1.DebugClassSpec) { c.MaxTTL.Duration *= 2; c.Approval = nil }, ""},
		"images":    {func(c *v1alpha1.DebugClassSpec) { c.Images = []string{"tools"} }, "the image it granted"},
		"profiles": {
			func(c *v1alpha1.DebugClassSpec) { c.Profiles = []v1alpha1.Profile{v1alpha1.ProfileBaseline} },
			"it granted profile general, but now allows only baseline",
		},
		"time": {
			func(c *v1alpha1.DebugClassSpec) { c.MaxTTL = *duration(time.Hour) },
			"it granted a ttl of up to 24h, but its maxTTL is now 1h",
		},
		"access": {
			func(c *v1alpha1.DebugClassSpec) { c.Access.Verbs = c.Access.Verbs[:1] },
			"it granted the access verbs Attach, Exec, but now grants only Attach",
		},
		"approvals": {func(c *v1alpha1.DebugClassSpec) { c.Approval.Required = 2 }, "it requires more approvals: 1 before, 2 now"},
		"whose":     {func(c *v1alpha1.DebugClassSpec) { c.Approval.SelfApproval = false }, "it no longer counts the requester's own approval"},
		"the hash":  {func(c *v1alpha1.DebugClassSpec) { c.Approval.RequireRequestHash = true }, "requestHash"},
	} {
		edited := class.DeepCopy()
		tc.edit(&edited.Spec)
		why := policy.Revalidate(edited, &session.Spec, granted)
		if (why != "") != (tc.says != "") || !strings.Contains(why, tc.says) {
			t.Errorf("%s: it says %q, want %q", name, why, tc.says)
		}
	}
}
