// Package diagnosis breaks the rules that keep internal/diagnosis pure, and below the planner, on the lines that say so.
package diagnosis

import (
	_ "net/http" // refused
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	_ "k8s.io/apimachinery/pkg/watch" // refused

	_ "debugsession.dev/operator/api/v1alpha1"
	_ "debugsession.dev/operator/internal/debugpod"
	_ "debugsession.dev/operator/internal/kube/podlogs" // refused
	_ "debugsession.dev/operator/internal/plaintext"
	_ "debugsession.dev/operator/internal/plan" // refused
)

// Ago answers otherwise at every call.
func Ago(then metav1.Time) time.Duration {
	return time.Since(then.Time) // refused
}
