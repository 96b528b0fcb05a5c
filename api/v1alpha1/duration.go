package v1alpha1

import (
	"strings"
	"time"
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
