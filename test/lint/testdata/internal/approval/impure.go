// Package approval breaks the rules that keep internal/approval pure, and below the planner, on the lines that say so.
package approval

import (
	_ "crypto/sha256"
	"math/rand/v2" // refused
	"time"

	_ "k8s.io/client-go/kubernetes" // refused

	_ "debugsession.dev/operator/api/v1alpha1"
	_ "debugsession.dev/operator/internal/debugpod"
	_ "debugsession.dev/operator/internal/kube/accessreview" // refused
	_ "debugsession.dev/operator/internal/plan"              // refused
	_ "debugsession.dev/operator/internal/policy"            // refused
)

// Late answers otherwise at every call.
func Late(due time.Time) bool {
	return rand.Float64() < 1 && time.Until(due) < 0 // refused
}
