package admission_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/internal/admission"
	"debugsession.dev/operator/internal/certs"
)

// The two kinds of configurations do not differ in what is read here.
func configurations(t *testing.T) map[string]admissionregistrationv1.ValidatingWebhookConfiguration {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "config", "webhook", "manifests.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	result := map[string]admissionregistrationv1.ValidatingWebhookConfiguration{}
	for _, document := range regexp.MustCompile(`(?m)^---$`).Split(string(content), -1) {
		var configuration admissionregistrationv1.ValidatingWebhookConfiguration
		if err := yaml.Unmarshal([]byte(document), &configuration); err != nil {
			t.Fatal(err)
		}
		if configuration.Kind != "" {
			result[configuration.Kind] = configuration
		}
	}
	return result
}

// What readiness asks for is what is installed, and what is installed is served.
func TestManifestsAgreeWithTheCode(t *testing.T) {
	hooks := admission.Hooks()
	server := webhook.NewServer(webhook.Options{})
	(&admission.Server{}).Register(server)
	installed := 0
	for kind, configuration := range configurations(t) {
		if configuration.Name != certs.ConfigurationName {
			t.Errorf("%s is named %q, want %q", kind, configuration.Name, certs.ConfigurationName)
		}
		for _, hook := range configuration.Webhooks {
			service := hook.ClientConfig.Service
			want := admissionregistrationv1.ServiceReference{Namespace: "debugsession-system", Name: certs.ServiceName, Path: service.Path}
			if *service != want {
				t.Errorf("%s: %s is called at %v, want %v", kind, hook.Name, service, want)
			}
			if _, path := server.WebhookMux().
				Handler(httptest.NewRequest(http.MethodPost, *service.Path, http.NoBody)); path != *service.Path {
				t.Errorf("%s: nothing is served at %s", kind, *service.Path)
			}
			sideEffects := admissionregistrationv1.SideEffectClassNone
			if hook.Name == "deletions.debugsession.dev" {
				sideEffects = admissionregistrationv1.SideEffectClassNoneOnDryRun
			}
			if *hook.SideEffects != sideEffects {
				t.Errorf("%s: %s has sideEffects %s", kind, hook.Name, *hook.SideEffects)
			}
			if slices.Contains([]string{"validation.debugsession.dev", "deletions.debugsession.dev"}, hook.Name) {
				if *hook.FailurePolicy != admissionregistrationv1.Ignore {
					t.Errorf("%s: without %s, a session could not be ended or deleted", kind, hook.Name)
				}
				continue
			}
			installed++
			if !slices.ContainsFunc(hooks, func(h certs.Hook) bool {
				return h.Mutating == (kind == "MutatingWebhookConfiguration") && h.Name == hook.Name &&
					h.Path == *hook.ClientConfig.Service.Path &&
					slices.Equal([]string{h.Resource}, hook.Rules[0].Resources) && slices.Equal(h.Operations, hook.Rules[0].Operations) &&
					slices.Equal(h.Conditions, hook.MatchConditions)
			}) {
				t.Errorf("%s: %s is not among Hooks()", kind, hook.Name)
			}
			if *hook.FailurePolicy != admissionregistrationv1.Fail {
				t.Errorf("%s: %s has failurePolicy %s", kind, hook.Name, *hook.FailurePolicy)
			}
		}
	}
	if installed != len(hooks) {
		t.Errorf("%d webhooks are installed, and Hooks() has %d", installed, len(hooks))
	}
}
