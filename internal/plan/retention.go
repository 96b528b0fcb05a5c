package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// keepWithoutClass is how long the record of a session is kept whose class never was: nothing was made for it.
const keepWithoutClass = 30 * 24 * time.Hour

// retained deletes the record of an ended session when its class's retention has passed.
func (p *pass) retained() step {
	status := p.status()
	if status.EndedAt == nil || p.Session.DeletionTimestamp != nil || managedElsewhere(p.Session) {
		return nil
	}
	keep, stop := p.retention()
	if stop != nil || keep == nil {
		return stop
	}
	until := status.EndedAt.Add(keep.Duration)
	if p.Now.Before(until) {
		p.wake(until)
		return nil
	}
	p.do(DeleteSession{UID: p.Session.UID})
	return nil
}

// retention is how long the record is kept, as the class granted; nil for ever. A session that ended before its class was recorded goes
// by the class that it names.
func (p *pass) retention() (*v1alpha1.Duration, step) {
	if granted := p.status().Class; granted != nil {
		return granted.Retention, nil
	}
	name := p.spec().ClassName
	class, stop := need(p.Class, ReadClass{Name: name}, nil, retryReading(fmt.Sprintf("DebugClass %q", name)))
	switch {
	case stop != nil:
		return nil, stop
	case class == nil:
		return &v1alpha1.Duration{Duration: keepWithoutClass}, nil
	default:
		return (*v1alpha1.Duration)(class.Spec.Retention), nil
	}
}

// keepLeftOver is how long an approval is kept whose session has gone. It is longer than any session waits for approval: one that a
// tool without marks applies again finds no session any more that its old approval could be taken for anew.
const keepLeftOver = 30 * 24 * time.Hour

// LeftOverUntil reports whether an approval's session has gone, and when the approval may be deleted. One that a tool would
// create again is kept for ever: created anew it would be bound to whatever session of that name asks by then.
func LeftOverUntil(approval *v1alpha1.DebugApproval, session *v1alpha1.DebugSession) (until time.Time, leftOver bool) {
	counted := meta.FindStatusCondition(approval.Status.Conditions, v1alpha1.ConditionCounted)
	if counted == nil || counted.Status == metav1.ConditionTrue || session != nil || approval.DeletionTimestamp != nil || managedElsewhere(approval) {
		return time.Time{}, false
	}
	return counted.LastTransitionTime.Add(keepLeftOver), true
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

// managedElsewhere reports whether a tool would create the object again. Argo CD may be set up to mark what it applies with
// nothing but app.kubernetes.io/instance.
func managedElsewhere(object metav1.Object) bool {
	for _, marks := range []map[string]string{object.GetLabels(), object.GetAnnotations()} {
		for key := range marks {
			if MarksManaged(key) {
				return true
			}
		}
	}
	return false
}

// MarksManaged reports whether a label or an annotation is one by which a tool marks what it applies.
func MarksManaged(key string) bool {
	return key == "app.kubernetes.io/instance" || slices.ContainsFunc(managers, func(m string) bool { return strings.HasPrefix(key, m) })
}
