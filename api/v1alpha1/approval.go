package v1alpha1

import "time"

// DefaultApprovalTimeout is how long a session waits for its approvals if its class does not say.
const DefaultApprovalTimeout = time.Hour
