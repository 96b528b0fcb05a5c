package notify

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
)

func templated(body string) *v1alpha1.DebugSinkSpec {
	return &v1alpha1.DebugSinkSpec{URL: "https://example.com", Template: &v1alpha1.SinkTemplate{Body: body}}
}

func TestTemplates(t *testing.T) {
	for name, test := range map[string]struct{ body, wrong string }{
		"good": {
			`{"text": {{ json .Text }}, "who": {{ with .Session }}{{ json .Requester }}{{ else }}null{{ end }}}`,
			"",
		},
		"with a secret":          {`{"key": {{ secret "key" | json }}}`, ""},
		"with loops":             {`[{{ range $i := 3 }}{{ if $i }},{{ end }}{{ $i }}{{ end }}]`, ""},
		"that does not parse":    {`{{ .Text`, "unclosed action"},
		"of nothing":             {`{"x": {{ .Nothing }}}`, "can't evaluate field Nothing"},
		"of what is not always":  {`{"x": {{ json .Session.Name }}}`, "nil pointer"},
		"unquoted":               {`{"text": "{{ .Text }}"}`, "quote each value with the function json"},
		"with a missing secret":  {`{"key": {{ secret "nokey" | json }}}`, `has no key "nokey"`},
		"that defines templates": {`{{ define "x" }}{{ template "x" }}{{ end }}{{ template "x" }}`, "must not be empty or define templates"},
		"that calls itself":      {`{{ template "body" }}`, "must not call templates"},
		"with a block":           {`{{ block "x" . }}{}{{ end }}`, "must not be empty or define templates"},
		"with deep loops": {
			`{{ range 9 }}{{ range 9 }}{{ range 9 }}{{ end }}{{ end }}{{ end }}`,
			"must not nest more than 2 loops",
		},
		"with deep loops in an if": {
			`{{ range 9 }}{{ range 9 }}{{ if true }}{{ else }}{{ range 9 }}{{ end }}{{ end }}{{ end }}{{ end }}`,
			"must not nest more than 2 loops",
		},
		"with a large loop":       {`{{ range 1000000000 }}{{ end }}`, "larger than 1000"},
		"with a large variable":   {`{{ $n := 1e9 }}{{ range $n }}{{ end }}`, "larger than 1000"},
		"with a number in parens": {`{{ range (print (len (printf "%v" 5000))) }}{{ end }}`, "larger than 1000"},
		"that writes without end": {`{{ range 1000 }}{{ range 1000 }}{{ json $ }}{{ end }}{{ end }}`, "longer than 65536 bytes"},
		"that pads without end":   {`{{ range 1000 }}{{ printf "%9999d" 1 }}{{ end }}`, "longer than 65536 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newSender(templated(test.body), map[string][]byte{"key": []byte("k")})
			switch {
			case test.wrong == "" && err != nil:
				t.Error(err)
			case test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong)):
				t.Errorf("says %v, and should say %q", err, test.wrong)
			}
		})
	}
}

// Whatever a session's requester writes, what a template makes is what its author meant: one JSON string.
func TestASessionCannotBreakOutOfATemplate(t *testing.T) {
	spec := templated(`{"text": {{ json .Session.Reason }}}`)
	spec.Types = []v1alpha1.NotificationType{v1alpha1.NotifyEnded}
	to, err := newSender(spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range []string{`"}, {"evil": "`, "a\x00\x1b[31mred\r\n\u202egnp\u200b", `{{ secret "key" }}`,
		"</script>\\", string([]byte{0xff, 0xfe})} {
		s := exampleSession()
		s.Spec.Reason = reason
		body, err := execute(to.template, "application/json", messageOf(s, move{notificationType: v1alpha1.NotifyEnded, at: t0}))
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]string
		if err := json.Unmarshal(body, &got); err != nil || len(got) != 1 || strings.ContainsAny(got["text"], "\x00\x1b\r\n\u202e\u200b") {
			t.Errorf("%q made %s (%v)", reason, body, err)
		}
	}
}

// The samples make bodies for all that they are told of, and those of products show what a user has written as it is.
func TestSamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "config", "samples", "sinks", "*.yaml"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d samples: %v", len(files), err)
	}
	secret := map[string][]byte{}
	for _, key := range []string{"slack-url", "teams-url", "pagerduty-routing-key", "alertmanager-authorization", "archive-signature"} {
		secret[key] = []byte("https://hooks.example.com/0123456789abcdef")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sink := &v1alpha1.DebugSink{}
			if err := yaml.UnmarshalStrict(text, sink); err != nil {
				t.Fatal(err)
			}
			to, err := newSender(&sink.Spec, secret)
			if err != nil {
				t.Fatal(err)
			}
			if to.template == nil {
				return
			}
			for _, of := range typesOf(&sink.Spec) {
				body, err := execute(to.template, to.contentType, example(of))
				if err != nil {
					t.Fatal(err)
				}
				var value any
				if err := json.Unmarshal(body, &value); err != nil {
					t.Error(err)
				}
				if strings.Contains(string(body), `"mrkdwn"`) || strings.Contains(string(body), `"TextBlock"`) {
					t.Errorf("%s: what a user has written would be taken as markup: %s", of, body)
				}
			}
		})
	}
}
