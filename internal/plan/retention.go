package plan

import (
	"strings"

	"debugsession.dev/operator/api/v1alpha1"
)

// retain deletes the record of an ended session when its class's retention has passed.
func (p *pass) retain() {
	status := p.status()
	if status.Class == nil || status.Class.Retention == nil || status.EndedAt == nil ||
		p.Session.DeletionTimestamp != nil || managedElsewhere(p.Session) {
		return
	}
	until := status.EndedAt.Add(status.Class.Retention.Duration)
	if p.Now.Before(until) {
		p.wake(until)
		return
	}
	p.do(DeleteRecord{UID: p.Session.UID})
}

// managers are the beginnings of labels and annotations by which the tools mark what they apply, and would apply again if
// it were gone.
var managers = []string{
	"argocd.argoproj.io/",
	"kustomize.toolkit.fluxcd.io/",
	"helm.toolkit.fluxcd.io/",
	"meta.helm.sh/",
	"applyset.kubernetes.io/part-of",
}

// managedElsewhere says whether a tool would create the session again. Argo CD may be set up to mark what it applies with
// nothing but app.kubernetes.io/instance.
func managedElsewhere(session *v1alpha1.DebugSession) bool {
	for _, marks := range []map[string]string{session.Labels, session.Annotations} {
		for key := range marks {
			if key == "app.kubernetes.io/instance" {
				return true
			}
			for _, manager := range managers {
				if strings.HasPrefix(key, manager) {
					return true
				}
			}
		}
	}
	return false
}
