// Package debugclass imports another controller, on the line that says so.
package debugclass

import (
	_ "debugsession.dev/operator/api/v1alpha1"
	_ "debugsession.dev/operator/controllers/debugsession" // refused
)
