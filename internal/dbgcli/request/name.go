package request

import (
	"strings"
	"time"
)

// What of a session's name tells who and what. With the time it is at most 63 characters, so that it fits a label.
const (
	userLength   = 16
	targetLength = 30
)

// Name names a session for people: who, what, when. Sessions of one person and one target are in the order of their time.
func Name(user, target string, now time.Time) string {
	parts := []string{shortUser(user), clean(target, targetLength), now.UTC().Format("060102-150405")}
	return strings.Join(parts, "-")
}

// shortUser is what people call a user of that name: no domain, and a service account by its own name.
func shortUser(user string) string {
	user = user[strings.LastIndexAny(user, ":/")+1:]
	user, _, _ = strings.Cut(user, "@")
	return clean(user, userLength)
}

// clean makes a part of an object's name of any text.
func clean(text string, length int) string {
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			r = '-'
		}
		if r != '-' || b.Len() > 0 {
			b.WriteRune(r)
		}
	}
	cut := b.String()[:min(b.Len(), length)]
	if cut = strings.Trim(cut, "-"); cut == "" {
		return "debug"
	}
	return cut
}
