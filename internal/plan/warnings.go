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

// warned writes down what is otherwise with a copy than its author may think.
func (p *pass) warned(target *debugTarget, making Action) step {
	create, makes := making.(CreatePod)
	if !makes || p.spec().Mode != v1alpha1.ModePodCopy {
		return nil
	}
	warnings := debugpod.CopyWarnings(target.pod, create.Pod)
	kept := maps.Clone(create.Pod.Labels)
	delete(kept, v1alpha1.LabelSessionUID)
	if len(kept) > 0 {
		counted, stop := p.countedByBudgets(create.Pod)
		if stop != nil {
			return stop
		}
		for _, message := range counted {
			p.event(corev1.EventTypeWarning, v1alpha1.ReasonCountedByBudget, message)
		}
		warnings = append(counted, warnings...)
	}
	p.status().Warnings = debugpod.Warnings(warnings)
	return nil
}

// countedByBudgets names the disruption budgets that count the copy as one of the target's pods. That they cannot be read keeps no
// copy from being made.
func (p *pass) countedByBudgets(pod *corev1.Pod) (messages []string, stop step) {
	if p.Budgets.state == unknown {
		return []string{fmt.Sprintf("the copy has labels of its target, and whether a PodDisruptionBudget counts it is not known: %v", p.Budgets.err)}, nil
	}
	budgets, stop := need(p.Budgets, ListBudgets{}, nil, nil)
	if stop != nil {
		return nil, stop
	}
	for i := range budgets {
		budget := &budgets[i]
		selector, err := metav1.LabelSelectorAsSelector(budget.Spec.Selector)
		if err == nil && selector.Matches(labels.Set(pod.Labels)) {
			messages = append(messages, fmt.Sprintf("PodDisruptionBudget %q counts the copy as one of the pods that it selects, and may let one of those be evicted while the copy is ready: "+
				"keep fewer labels (podCopy.keepLabels) if it must not", budget.Name))
		}
	}
	return messages, nil
}
