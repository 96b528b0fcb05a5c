package notify

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"

	"debugsession.dev/operator/api/v1alpha1"
)

// The example of the specification of Standard Webhooks.
func TestSignature(t *testing.T) {
	key, err := signingKey([]byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"))
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{}
	sign(header, key, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if got, want := header.Get("webhook-signature"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, wrong := range []string{"", "short", "whsec_!!", "whsec_" + base64.StdEncoding.EncodeToString([]byte("short"))} {
		if _, err := signingKey([]byte(wrong)); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

func TestSendersThatCannotBe(t *testing.T) {
	for name, test := range map[string]struct {
		spec  v1alpha1.DebugSinkSpec
		wrong string
	}{
		"an address from the Secret that is http":       {v1alpha1.DebugSinkSpec{URLKey: "http"}, "must begin with https://"},
		"an address from the Secret that is no address": {v1alpha1.DebugSinkSpec{URLKey: "word"}, "must be an HTTP URL"},
		"an address from the Secret that is a file": {
			v1alpha1.DebugSinkSpec{URLKey: "file", AllowHTTP: true},
			"must be an HTTP URL",
		},
		"no such key":                     {v1alpha1.DebugSinkSpec{URLKey: "none"}, `has no key "none"`},
		"a CA that is none":               {v1alpha1.DebugSinkSpec{URL: "https://example.com", CABundle: "x"}, "no PEM certificate"},
		"a signature's key that is short": {v1alpha1.DebugSinkSpec{URL: "https://example.com", SignatureKey: "word"}, "too short"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newSender(&test.spec, map[string][]byte{"http": []byte("http://example.com/hook-of-slack"),
				"word": []byte("hook-of-slack"), "file": []byte("file:///hook-of-slack")})
			if err == nil || !strings.Contains(err.Error(), test.wrong) || strings.Contains(err.Error(), "hook-of-slack") {
				t.Errorf("says %v, and should say %q", err, test.wrong)
			}
		})
	}
}

func TestHTTPSIsVerified(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for bundle, trusted := range map[string]bool{"": false, string(ca): true} {
		to, err := newSender(&v1alpha1.DebugSinkSpec{URL: server.URL + "/hook-of-slack", CABundle: bundle}, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = to.send(t.Context(), example(v1alpha1.NotifyEnded), t0)
		if (err == nil) != trusted || err != nil && strings.Contains(err.Error(), "hook-of-slack") {
			t.Errorf("trusted: %t: %v", trusted, err)
		}
	}
}

// schema is a JSON schema by which objects are, and which takes no field that it does not know.
type schema struct {
	text      []byte
	validator *validate.SchemaValidator
}

func readSchema(t *testing.T, path ...string) schema {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	read := &spec.Schema{}
	if err := json.Unmarshal(text, read); err != nil {
		t.Fatal(err)
	}
	return schema{text, validate.NewSchemaValidator(read, nil, "", strfmt.Default)}
}

// holds sees that a text is as the schema says, and would not be with a field more.
func (s schema) holds(t *testing.T, of v1alpha1.NotificationType, text []byte) {
	t.Helper()
	var value map[string]any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	if result := s.validator.Validate(value); !result.IsValid() {
		t.Errorf("%s: %v\n%s", of, result.AsError(), text)
	}
	value["another"] = true
	if s.validator.Validate(value).IsValid() {
		t.Errorf("%s: a field that is not in the schema is taken", of)
	}
}

// Every message is as the published schema says.
func TestSchema(t *testing.T) {
	published := readSchema(t, "..", "..", "docs", "notification.schema.json")
	var named struct {
		ID string `json:"$id"`
	}
	if err := json.Unmarshal(published.text, &named); err != nil || named.ID != SchemaURI {
		t.Errorf("its $id is %q (%v)", named.ID, err)
	}
	for _, of := range allTypes {
		text, err := json.Marshal(example(of).from("eu-1"))
		if err != nil {
			t.Fatal(err)
		}
		published.holds(t, of, text)
	}
}

func TestAllTypesHaveAnEventType(t *testing.T) {
	for _, of := range allTypes {
		m := example(of)
		if m.EventType == "" || m.Title == "" || m.Text == "" || m.Subject == "" || strings.Contains(m.Text, "  ") {
			t.Errorf("%s: %+v", of, m)
		}
	}
}

func TestWhatWaitsIsBounded(t *testing.T) {
	var o occurrences
	for i := range 1000 {
		o.add(occurrence{by: strings.Repeat("x", i%3)})
	}
	if len(o.waiting) != 3*maxOfOne {
		t.Errorf("%d wait", len(o.waiting))
	}
	for i := range 1000 {
		o.add(occurrence{by: strings.Repeat("y", i)})
	}
	if len(o.waiting) != maxOccurrences {
		t.Errorf("%d wait", len(o.waiting))
	}
}
