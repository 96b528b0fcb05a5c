// Package approval knows what counts as an approval of a session: whether a DebugApproval counts for it and why not, what the approvals
// that count come to, until when a session waits for them, and the hash that stands for what is approved. It is pure: it reads nothing
// and knows no clock.
package approval
