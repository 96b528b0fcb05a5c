package v1alpha1_test

import (
	"encoding/json"
	"testing"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

func TestFormatDuration(t *testing.T) {
	for text, want := range map[string]string{
		"1h": "1h", "60m": "1h", "90m": "1h30m", "10m": "10m", "90s": "1m30s", "10s": "10s", "0s": "0s", "3601s": "1h0m1s", "100h": "100h",
		"1500ms": "1.5s", "-1h": "-1h",
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

func TestDurationIsWrittenAsPeopleDo(t *testing.T) {
	for text, d := range map[string]time.Duration{
		`"1h"`: time.Hour, `"30m"`: 30 * time.Minute, `"1h30m"`: 90 * time.Minute, `"24h"`: 24 * time.Hour,
		`"10s"`: 10 * time.Second, `"0s"`: 0,
	} {
		written, err := json.Marshal(v1alpha1.Duration{Duration: d})
		if err != nil || string(written) != text {
			t.Errorf("wrote %s, want %s (%v)", written, text, err)
		}
		for _, spelled := range []string{text, `"` + d.String() + `"`} {
			var read v1alpha1.Duration
			if err := json.Unmarshal([]byte(spelled), &read); err != nil || read.Duration != d {
				t.Errorf("read %s as %s (%v)", spelled, read.Duration, err)
			}
		}
	}
	if err := json.Unmarshal([]byte(`"soon"`), &v1alpha1.Duration{}); err == nil {
		t.Error("soon was read")
	}
}
