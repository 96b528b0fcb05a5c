// Package v1alpha1 imports upward, on the lines that say so.
package v1alpha1

import (
	_ "k8s.io/api/core/v1"
	_ "k8s.io/client-go/kubernetes" // refused
	_ "sigs.k8s.io/controller-runtime/pkg/scheme" // refused

	_ "debugsession.dev/operator/internal/debugpod" // refused
)
