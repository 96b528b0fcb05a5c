// Package debugpod imports upward, on the lines that say so.
package debugpod

import (
	_ "debugsession.dev/operator/api/v1alpha1"
	_ "debugsession.dev/operator/internal/kube/podwatch" // refused
	_ "debugsession.dev/operator/internal/plan"          // refused
)
