package main

import (
	"context"

	"k8s.io/client-go/kubernetes"
)

// processorSeconds is how much processor time the API server has taken since it started, by its own word.
func (c *cluster) processorSeconds(ctx context.Context) (float64, error) {
	clientset, err := kubernetes.NewForConfig(c.admin)
	if err != nil {
		return 0, err
	}
	metrics, err := clientset.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return 0, err
	}
	return field(string(metrics), "process_cpu_seconds_total")
}
