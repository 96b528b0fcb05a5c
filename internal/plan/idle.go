package plan

import (
	"strings"

	"debugsession.dev/operator/internal/debugpod"
)

// idled reports whether the debugger has ended for nobody used it. A command can exit with the same code and write the same words, but
// not before it could have been idle for so long; and then it has ended, too.
func (p *pass) idled() bool {
	debugger, granted := p.status().Debugger, p.status().Class.IdleTimeout
	return granted != nil && debugpod.CanIdle(p.spec()) && debugger.StartedAt != nil && debugger.FinishedAt != nil &&
		debugger.FinishedAt.Sub(debugger.StartedAt.Time) >= granted.Duration &&
		debugger.ExitCode != nil && *debugger.ExitCode == debugpod.ExitDeadline && strings.Contains(debugger.Message, debugpod.WhenIdle)
}
