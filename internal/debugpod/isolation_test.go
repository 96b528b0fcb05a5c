package debugpod

import (
	"testing"

	"debugsession.dev/operator/api/v1alpha1"
)

func TestIsolationOfAPodInItsNodesNetwork(t *testing.T) {
	target := readTarget(t, "web-0")
	target.Spec.HostNetwork = true
	session := admitted(v1alpha1.ModePodCopy)
	if _, err := Copy(session, target, now); err != nil {
		t.Fatal(err)
	}
	session.Spec.PodCopy.Isolate = true
	_, err := Copy(session, target, now)
	wantInvalid(t, err, "spec.podCopy.isolate")
}
