// Package policy breaks the rules that keep internal/policy pure, and below the planner, on the lines that say so.
package policy

import (
	_ "context" // refused
	"os"        // refused
	"time"

	_ "k8s.io/api/core/v1"
	_ "sigs.k8s.io/controller-runtime/pkg/client" // refused

	_ "debugsession.dev/operator/api/v1alpha1"
	_ "debugsession.dev/operator/controllers/debugsession" // refused
	_ "debugsession.dev/operator/internal/approval"        // refused
	_ "debugsession.dev/operator/internal/debugpod"
	_ "debugsession.dev/operator/internal/imagepattern"
	_ "debugsession.dev/operator/internal/plan" // refused
)

// Expired answers otherwise at every call.
func Expired(at time.Time) bool {
	return os.Getenv("NOW") == "" && time.Now().After(at) // refused
}
