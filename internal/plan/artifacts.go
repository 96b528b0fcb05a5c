package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// The files that a session keeps are read out of its debugger's container once its command has ended, which the deadline wrapper holds for
// that. What became of them is written down before the container is let go. Nothing waits for them: a session that ends
// meanwhile ends, and has what was stored until then.

// HoldTimeout is for how long a debugger's container stays for its files when its command has ended.
const HoldTimeout = 5 * time.Minute

// ArtifactsState is what a process knows of the files that a session keeps.
type ArtifactsState struct {
	Done bool                      // there is nothing more to come
	Rows []v1alpha1.ArtifactStatus // what became of those that are settled
}

// artifactsFollowed writes down what became of the session's files once all of them are settled, while its debugger is held for that.
func (p *pass) artifactsFollowed() step {
	if !p.Session.AwaitsArtifacts() {
		return nil
	}
	state, stop := need(p.Artifacts, ReadArtifacts{}, nil, retryReading("the state of the artifacts"))
	if stop != nil || !state.Done {
		return stop
	}
	p.settleArtifacts(state.Rows, "")
	return nil
}

// artifactsSettled writes down what became of the files of a session that ends. It waits for none.
func (p *pass) artifactsSettled() step {
	if !p.Session.AwaitsArtifacts() {
		return nil
	}
	if p.Artifacts.state == unasked {
		return ask{ReadArtifacts{}}
	}
	p.settleArtifacts(p.Artifacts.value.Rows, "the debugger ended before it was read and stored")
	return nil
}

// settleArtifacts writes down what became of each file, in their order. Of what is not known why it was not kept, that is why.
func (p *pass) settleArtifacts(rows []v1alpha1.ArtifactStatus, lost string) {
	var all []v1alpha1.ArtifactStatus
	var missed []string
	for _, path := range p.spec().Debugger.Artifacts {
		row := v1alpha1.ArtifactStatus{Path: path, State: v1alpha1.ArtifactLost, Message: lost}
		if i := slices.IndexFunc(rows, func(r v1alpha1.ArtifactStatus) bool { return r.Path == path }); i >= 0 {
			row = rows[i]
			row.Message = sanitizeText(row.Message, maxText)
		}
		all = append(all, row)
		if row.State != v1alpha1.ArtifactKept {
			missed = append(missed, fmt.Sprintf("%s (%s: %s)", path, row.State, row.Message))
		}
	}
	p.status().Artifacts = all
	if len(missed) == 0 {
		p.event(corev1.EventTypeNormal, v1alpha1.ReasonArtifactsKept, "stored in the audit store: "+strings.Join(p.spec().Debugger.Artifacts, ", "))
		return
	}
	p.event(corev1.EventTypeWarning, v1alpha1.ReasonArtifactsLost, sanitizeMessage(fmt.Sprintf("%d of %d artifacts were not kept: %s",
		len(missed), len(all), strings.Join(missed, ", "))))
}
