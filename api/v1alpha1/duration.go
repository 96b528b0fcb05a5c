package v1alpha1

import (
	"encoding/json"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FormatDuration writes a duration as people do, for messages: 1h rather than 1h0m0s. It means the same to whoever parses it.
func FormatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Duration is a duration that the operator writes, as FormatDuration does: whoever reads a status finds 1h there, and not 1h0m0s.
//
// +kubebuilder:validation:Type=string
type Duration struct {
	time.Duration `json:"-"`
}

// MarshalJSON implements json.Marshaler.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(FormatDuration(d.Duration)) }

// UnmarshalJSON implements json.Unmarshaler. It reads what metav1.Duration reads.
func (d *Duration) UnmarshalJSON(text []byte) error {
	return (*metav1.Duration)(d).UnmarshalJSON(text)
}
