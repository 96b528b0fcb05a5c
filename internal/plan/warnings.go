package plan

import (
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// warn writes down what is otherwise with a copy than its author may think. It returns false if that is not known yet.
func (p *pass) warn(target *subject, making Action) bool {
	create, makes := making.(CreatePod)
	if !makes || p.spec().Mode != v1alpha1.ModePodCopy {
		return true
	}
	warnings := debugpod.CopyWarnings(target.pod, create.Pod)
	kept := maps.Clone(create.Pod.Labels)
	delete(kept, v1alpha1.LabelSessionUID)
	if len(kept) > 0 {
		counted, known := p.counted(create.Pod)
		if !known {
			return false
		}
		for _, message := range counted {
			p.event(corev1.EventTypeWarning, v1alpha1.ReasonCountedByBudget, message)
		}
		warnings = append(counted, warnings...)
	}
	p.status().Warnings = debugpod.Warnings(warnings)
	return true
}

// counted names the disruption budgets that count the copy as one of the target's pods. That they cannot be read keeps no copy
// from being made.
func (p *pass) counted(pod *corev1.Pod) (messages []string, known bool) {
	switch p.Budgets.state {
	case unasked:
		p.ask(ListBudgets{})
		return nil, false
	case awaited:
		return nil, false
	case unknown:
		return []string{fmt.Sprintf("the copy has labels of its target, and whether a PodDisruptionBudget counts it is not known: %v", p.Budgets.err)}, true
	case found, absent:
	}
	for i := range p.Budgets.value {
		budget := &p.Budgets.value[i]
		selector, err := metav1.LabelSelectorAsSelector(budget.Spec.Selector)
		if err == nil && selector.Matches(labels.Set(pod.Labels)) {
			messages = append(messages, fmt.Sprintf("PodDisruptionBudget %q counts the copy as one of the pods that it selects, and may let one of those be evicted while the copy is ready: "+
				"keep fewer labels (podCopy.keepLabels) if it must not", budget.Name))
		}
	}
	return messages, true
}
