package tampering

import (
	"slices"
	"testing"
)

func TestDetector(t *testing.T) {
	var told []string
	d := Detector{Tampered: func(kind, name, message string) { told = append(told, kind+" "+name+": "+message) }}
	d.Saw("Policy", "identity", "it was changed") // as it was found
	d.Saw("Policy", "identity", "")
	d.Saw("Binding", "identity", "it was deleted")
	d.Saw("Policy", "identity", "it was changed")
	d.Saw("Policy", "identity", "it was deleted")
	d.Saw("Policy", "identity", "")
	d.Saw("Policy", "identity", "it was deleted")
	if want := []string{"Policy identity: it was changed", "Policy identity: it was deleted"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	(&Detector{}).Saw("Policy", "identity", "")
}
