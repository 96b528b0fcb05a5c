package debugsession

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

// Before the controller has started there is no queue: it will look at every session then.
func TestEnqueueBeforeTheStart(t *testing.T) {
	(&Enqueuer{}).Enqueue(types.NamespacedName{Namespace: "shop", Name: "hang"})
}
