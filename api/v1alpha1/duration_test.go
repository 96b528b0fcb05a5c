package v1alpha1_test

import (
	"testing"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

func TestFormatDuration(t *testing.T) {
	for text, want := range map[string]string{
		"1h": "1h", "60m": "1h", "90m": "1h30m", "10m": "10m", "90s": "1m30s", "10s": "10s", "0s": "0s", "3601s": "1h0m1s", "100h": "100h", "1500ms": "1.5s", "-1h": "-1h",
	} {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		got := v1alpha1.FormatDuration(d)
		if got != want {
			t.Errorf("%s is written %s, want %s", text, got, want)
		}
		if again, err := time.ParseDuration(got); err != nil || again != d {
			t.Errorf("%s does not mean %s any more", got, text)
		}
	}
}
