package command

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Whatever the API server refuses exits with 120, as documented: what one may not do, and what is not written as it must be.
func TestRefusedSessionExitsWith120(t *testing.T) {
	for reason, status := range map[string]int{
		"Forbidden": http.StatusForbidden, "Invalid": http.StatusUnprocessableEntity, "BadRequest": http.StatusBadRequest,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if strings.HasSuffix(r.URL.Path, "/selfsubjectreviews") {
				fmt.Fprint(w,
					`{"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "status": {"userInfo": `+
						`{"username": "alice"}}}`)
				return
			}
			w.WriteHeader(status)
			fmt.Fprintf(w,
				`{"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": %q, "code": %d, "message": "spec.profile: no"}`,
				reason, status)
		}))
		_, code, message := runAt(t, server.URL, "web", "--", "id")
		server.Close()
		if code != 120 || !strings.Contains(message, "spec.profile: no") || !strings.Contains(message, "kubectl dbg classes -n shop") {
			t.Errorf("%s: exits with %d, and says %q", reason, code, message)
		}
	}
}
