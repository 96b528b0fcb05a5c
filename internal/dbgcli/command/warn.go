package command

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"debugsession.dev/operator/internal/dbgcli/story"
)

// warnings are how long before its end a session is said to end.
var warnings = []time.Duration{5 * time.Minute, time.Minute}

// warn writes into the terminal that the end is near. An end that was moved is warned of anew.
func (v *visit) warn(ctx context.Context) {
	var warned time.Time
	for {
		news, changed := v.tracker.Latest()
		expires := news.Session.Status.ExpiresAt
		var next <-chan time.Time
		if expires != nil && !story.Over(news.Session) {
			left := expires.Sub(v.now())
			for _, before := range warnings {
				at := expires.Add(-before)
				if left > before {
					next = time.After(left - before)
					break
				}
				if at.After(warned) && left > before-30*time.Second {
					warned = at
					fmt.Fprintf(v.ErrOut, "\r\n[dbg] this session ends in %s; kubectl dbg extend %s +30m moves that\r\n", story.Duration(left), news.Session.Name)
				}
			}
		}
		select {
		case <-next:
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// refusedForGood reports whether attaching again would be refused again. Right after the start, the API server may not know yet of
// the access that the session gives.
func refusedForGood(err error, tried int) bool {
	return (apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err)) && tried > 5
}
