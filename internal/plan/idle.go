package plan

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// canIdle reports whether it can be told that nobody uses a session: by the terminal of an ephemeral debugger, which ends itself.
func canIdle(spec *v1alpha1.DebugSessionSpec) bool {
	return spec.Mode == v1alpha1.ModeEphemeralContainer && spec.Debugger.TTY && !spec.Debugger.Unstoppable
}

// idleTimeout is after how long without use the session ends: what it says, else what its class says; nil if it does not.
func idleTimeout(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) *metav1.Duration {
	switch defaults := class.Spec.Defaults; {
	case !canIdle(spec):
		return nil
	case spec.IdleTimeout != nil:
		return spec.IdleTimeout.DeepCopy()
	case defaults != nil && defaults.IdleTimeout != nil:
		return defaults.IdleTimeout.DeepCopy()
	default:
		return class.Spec.MaxIdleTimeout.DeepCopy()
	}
}

func checkIdleTimeout(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec) string {
	most := class.Spec.MaxIdleTimeout
	if spec.IdleTimeout == nil || most == nil || spec.IdleTimeout.Duration <= most.Duration {
		return ""
	}
	return fmt.Sprintf("spec.idleTimeout: %s is longer than the maxIdleTimeout, %s", v1alpha1.FormatDuration(spec.IdleTimeout.Duration), v1alpha1.FormatDuration(most.Duration))
}

// narrowedIdleTimeout looks at what was granted: a class that was edited never lets a session be idle for longer.
func narrowedIdleTimeout(class *v1alpha1.DebugClass, spec *v1alpha1.DebugSessionSpec, granted *v1alpha1.ClassStatus) string {
	most := class.Spec.MaxIdleTimeout
	if most == nil || !canIdle(spec) || granted.IdleTimeout != nil && granted.IdleTimeout.Duration <= most.Duration {
		return ""
	}
	return fmt.Sprintf("its maxIdleTimeout is %s now, which is less than it granted", v1alpha1.FormatDuration(most.Duration))
}

// idled reports whether the debugger has ended for nobody used it. A command can exit with the same code and write the same words, but
// not before it could have been idle for so long; and then it has ended, too.
func (p *pass) idled() bool {
	debugger, granted := p.status().Debugger, p.status().Class.IdleTimeout
	return granted != nil && canIdle(p.spec()) && debugger.StartedAt != nil && debugger.FinishedAt != nil &&
		debugger.FinishedAt.Sub(debugger.StartedAt.Time) >= granted.Duration &&
		debugger.ExitCode != nil && *debugger.ExitCode == debugpod.ExitDeadline && strings.Contains(debugger.Message, debugpod.WhenIdle)
}
