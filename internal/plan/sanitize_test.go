package plan_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// hostile is a text that would do something to a terminal, or read as something else than it is.
const hostile = "a\x1b[31mred\x1b]0;title\x07 \u009b2J\u202Eevil\u2066 \u200b\ufeff\x00\x7f\xff\xfe\rb\r\nc\x08\td\u2028"

// harmless fails if a text has anything that is not to be seen, but for what separates lines and words.
func harmless(t *testing.T, where, text string) {
	t.Helper()
	for _, r := range text {
		if r != '\n' && r != '\t' && !unicode.IsGraphic(r) {
			t.Errorf("%s holds %U: %q", where, r, text)
		}
	}
	if !utf8.ValidString(text) {
		t.Errorf("%s is no text: %q", where, text)
	}
}

func checkHarmless(t *testing.T, p plan.Plan) {
	t.Helper()
	for _, c := range p.Status.Conditions {
		harmless(t, c.Type, c.Message)
		if strings.Contains(c.Message, "\n") {
			t.Errorf("%s has several lines: %q", c.Type, c.Message)
		}
	}
	for _, e := range p.Events {
		harmless(t, "an event", e.Note)
	}
	if d := p.Status.Debugger; d != nil {
		harmless(t, "its image", d.Image+d.ImageID)
		harmless(t, "its message", d.Message)
		harmless(t, "its output", d.Output)
	}
}

// What debuggers, kubelets, runtimes and API servers say is shown as it was said, and does nothing to who reads it.
func TestWhatOthersSayIsHarmless(t *testing.T) {
	once := func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Stdin, s.Spec.Debugger.TTY = false, false }
	for mode, m := range modes(t, once) {
		for name, look := range map[string]look{
			"it waits":         m.sees(fixture.Waiting("ErrImagePull", hostile)),
			"it cannot start":  m.sees(fixture.Exited(now, 128, "StartError", hostile)),
			"it ended":         m.sees(fixture.Exited(now, 1, "Error", hostile)),
			"for memory":       m.sees(fixture.Exited(now, 137, "OOMKilled", hostile)),
			"its pod is ended": m.sees(fixture.Waiting("", ""), fixture.Finished("Failed", "Evicted", hostile)),
		} {
			t.Run(name+", "+string(mode), func(t *testing.T) {
				p := pass(t, about(m.session, look, func(v *view) { v.output = new(plan.Found(hostile + strings.Repeat(hostile, 100))) }))
				checkHarmless(t, p)
				if d := p.Status.Debugger; utf8.RuneCountInString(d.Output) > 1024 || utf8.RuneCountInString(d.Message) > 4096 {
					t.Errorf("too long: %d, %d", len(d.Output), len(d.Message))
				}
			})
		}
	}
}

// What is shown tells what was there.
func TestControlCharactersAreShown(t *testing.T) {
	session, pod := active(t, func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Stdin, s.Spec.Debugger.TTY = false, false })
	fixture.EphemeralState(session.Status.Debugger.ContainerName, fixture.Exited(now, 0, "Completed", ""))(pod)
	p := pass(t, about(session, target(pod), func(v *view) { v.output = new(plan.Found("\xa4\x1b[31mred\x1b[0m\r\n\u202eb\x00\tc\n")) }))
	if got, want := p.Status.Debugger.Output, "\u241b[31mred\u241b[0m\n\ufffdb\u2400\tc"; got != want {
		t.Errorf("output is %q, want %q", got, want)
	}
}
