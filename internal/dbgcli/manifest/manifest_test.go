package manifest_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/manifest"
)

func lasting(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

// Every duration of the API is in one of these. What only looks like one stays as it is.
func TestFieldsHaveDurationsAsPeopleWriteThem(t *testing.T) {
	session := &v1alpha1.DebugSession{Spec: v1alpha1.DebugSessionSpec{TTL: lasting(30 * time.Minute)}}
	session.Labels = map[string]string{"ttl": "60m0s"}
	session.Spec.Target.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"ttl": "1h0m0s"}}
	session.Spec.Debugger.Command = []string{"sleep", "1m0s"}
	for want, object := range map[string]runtime.Object{
		"ttl: 30m":   session,
		"ttl: 1h30m": &v1alpha1.DebugApproval{Spec: v1alpha1.DebugApprovalSpec{TTL: lasting(90 * time.Minute)}},
		"maxTTL: 8h; ttl: 1h; timeout: 24h; retention: 168h; - 5m; - 1m; - 30s": &v1alpha1.DebugClass{Spec: v1alpha1.DebugClassSpec{
			MaxTTL: *lasting(8 * time.Hour), Defaults: &v1alpha1.ClassDefaults{TTL: lasting(time.Hour)},
			Approval: &v1alpha1.ApprovalPolicy{Timeout: lasting(24 * time.Hour)}, Retention: lasting(168 * time.Hour),
			EndWarnings: []metav1.Duration{*lasting(5 * time.Minute), *lasting(time.Minute), *lasting(30 * time.Second)},
		}},
		"timeout: 10s": &v1alpha1.DebugSink{Spec: v1alpha1.DebugSinkSpec{Timeout: lasting(10 * time.Second)}},
	} {
		fields, err := manifest.Fields(object)
		if err != nil {
			t.Fatal(err)
		}
		text, err := yaml.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(want, "; ") {
			if !strings.Contains(string(text), " "+line+"\n") && !strings.Contains(string(text), "\n"+line+"\n") {
				t.Errorf("%T: no line %q in\n%s", object, line, text)
			}
		}
		meant := reflect.New(reflect.TypeOf(object).Elem()).Interface()
		if err := yaml.Unmarshal(text, meant); err != nil || !reflect.DeepEqual(meant, object) {
			t.Errorf("%T: it means something else now: %v\n%s", object, err, text)
		}
	}
}
