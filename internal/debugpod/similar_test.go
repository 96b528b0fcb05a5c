package debugpod

import "testing"

func TestDidYouMean(t *testing.T) {
	names := []string{"app", "proxy", "standard", "checkout-7d9f8-x2k4q"}
	for typed, want := range map[string]string{
		"ap": "app", "pap": "app", "apps": "app", "porxy": "proxy", "stadnard": "standard", "standart": "standard", "checkout": "",
		"checkout-7d9f8-x2k4": "checkout-7d9f8-x2k4q", "vault": "", "": "", "app": "",
	} {
		question := ""
		if want != "" {
			question = `; did you mean "` + want + `"?`
		}
		if got := DidYouMean(typed, names); got != question {
			t.Errorf("%q: %q, want %q", typed, got, question)
		}
	}
}
