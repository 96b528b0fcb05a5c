package plan

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// countedByBudgets names the disruption budgets that count the copy as one of the target's pods. That they cannot be read keeps no
// copy from being made.
func (p *pass) countedByBudgets(pod *corev1.Pod) (messages []string, stop step) {
	if p.Budgets.state == unknown {
		return []string{fmt.Sprintf("the copy has labels of its target, and a PodDisruptionBudget may count it: cannot read the budgets: %v", p.Budgets.err)}, nil
	}
	budgets, stop := need(p.Budgets, ListBudgets{}, nil, nil)
	if stop != nil {
		return nil, stop
	}
	for i := range budgets {
		budget := &budgets[i]
		selector, err := metav1.LabelSelectorAsSelector(budget.Spec.Selector)
		if err == nil && selector.Matches(labels.Set(pod.Labels)) {
			messages = append(messages, fmt.Sprintf("PodDisruptionBudget %q selects the copy, and may allow a pod that it protects to be evicted while the copy is ready: "+
				"to prevent that, keep fewer labels (podCopy.keepLabels)", budget.Name))
		}
	}
	return messages, nil
}
