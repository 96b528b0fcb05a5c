package policy_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/policy"
)

func TestCheckTarget(t *testing.T) {
	writes := func(c *v1alpha1.VolumeClaim) { c.ReadOnly = new(false) }
	for name, tc := range map[string]struct {
		class   func(*v1alpha1.DebugClassSpec)
		session fixture.SessionOption
		says    string // empty: it is allowed
	}{
		"a claim, where none is spoken of": {func(c *v1alpha1.DebugClassSpec) { c.VolumeClaims = nil }, fixture.OfClaim("data"),
			`class "standard": spec.target.volumeClaim: debugging a PersistentVolumeClaim is not allowed; debug a pod that mounts it, or ask an administrator to set the class's volumeClaims`},
		"a claim, though volumes may be mounted": {func(c *v1alpha1.DebugClassSpec) { c.VolumeClaims, c.AllowVolumes = nil, true }, fixture.OfClaim("data"),
			"spec.target.volumeClaim: debugging a PersistentVolumeClaim is not allowed"},
		"a claim, where any is allowed": {func(c *v1alpha1.DebugClassSpec) {
			c.VolumeClaims, c.AllowVolumes = &v1alpha1.VolumeClaimPolicy{}, false
		}, fixture.OfClaim("data"), ""},
		"a claim to write to": {func(c *v1alpha1.DebugClassSpec) { c.VolumeClaims = &v1alpha1.VolumeClaimPolicy{} }, fixture.OfClaim("data", writes),
			`spec.target.volumeClaim.readOnly: mounting a PersistentVolumeClaim for writing is not allowed; remove readOnly: false, or ask an administrator to set the class's volumeClaims.allowWrite`},
		"a claim to write to, where one may": {nil, fixture.OfClaim("data", writes), ""},
		"an image, where none is spoken of": {func(c *v1alpha1.DebugClassSpec) { c.TargetImages = nil }, fixture.OfImage("web:1"),
			"spec.target.image: debugging an image is not allowed; debug a pod that runs it, or ask an administrator to set the class's targetImages"},
		"an image, where the debugger may have it": {func(c *v1alpha1.DebugClassSpec) { c.TargetImages, c.Images = nil, []string{"**"} }, fixture.OfImage("web:1"),
			"spec.target.image: debugging an image is not allowed"},
		"an image's container, without volumes": {func(c *v1alpha1.DebugClassSpec) { c.AllowVolumes = false }, func(s *v1alpha1.DebugSession) {
			fixture.OfImage("web:1")(s)
			s.Spec.Debugger.Container = "app"
		}, ""},
		"another image": {func(c *v1alpha1.DebugClassSpec) { c.TargetImages = []string{"web"} }, fixture.OfImage("evil.example/web"),
			`spec.target.image: "evil.example/web" is not allowed; allowed by the class's targetImages: web`},
		"a tag that stands beside a digest": {func(c *v1alpha1.DebugClassSpec) { c.TargetImages = []string{"web:1"} },
			fixture.OfImage("web:1@sha256:" + strings.Repeat("0", 64)), "is not allowed"},
		"no image's name": {func(c *v1alpha1.DebugClassSpec) { c.TargetImages = []string{"**"} }, fixture.OfImage("web:"), `"web:" is not a valid image name`},
		"an image":        {func(c *v1alpha1.DebugClassSpec) { c.TargetImages = []string{"web:*"} }, fixture.OfImage("docker.io/library/web:2"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			class := fixture.Class()
			if tc.class != nil {
				tc.class(&class.Spec)
			}
			got := policy.Check(class, fixture.Session(tc.session), nil, false)
			if tc.says == "" && got != "" || !strings.Contains(got, tc.says) {
				t.Errorf("says %q, want %q", got, tc.says)
			}
		})
	}
}

func TestCheckClaim(t *testing.T) {
	ours := &metav1.LabelSelector{MatchLabels: map[string]string{"tenant": "ours"}}
	claim := func(labels map[string]string) *corev1.PersistentVolumeClaim {
		return &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data", Labels: labels}}
	}
	for name, tc := range map[string]struct {
		allowed *v1alpha1.VolumeClaimPolicy
		labels  map[string]string
		ok      bool
	}{
		"any":                    {&v1alpha1.VolumeClaimPolicy{}, nil, true},
		"one that is selected":   {&v1alpha1.VolumeClaimPolicy{Selector: ours}, ours.MatchLabels, true},
		"another tenant's":       {&v1alpha1.VolumeClaimPolicy{Selector: ours}, map[string]string{"tenant": "theirs"}, false},
		"one without labels":     {&v1alpha1.VolumeClaimPolicy{Selector: ours}, nil, false},
		"none at all":            {nil, ours.MatchLabels, false},
		"by what is no selector": {&v1alpha1.VolumeClaimPolicy{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a b": "c"}}}, map[string]string{"a b": "c"}, false},
	} {
		class := fixture.Class(func(c *v1alpha1.DebugClassSpec) { c.VolumeClaims = tc.allowed })
		if got := policy.CheckClaim(class, claim(tc.labels)); (got == "") != tc.ok {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestTargetImage(t *testing.T) {
	if got := policy.TargetImage(&fixture.Session(fixture.OfImage("web")).Spec); got != "docker.io/library/web:latest" {
		t.Errorf("the image in full is %q", got)
	}
}
