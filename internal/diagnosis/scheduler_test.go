package diagnosis_test

import (
	"strings"
	"testing"

	"debugsession.dev/operator/internal/diagnosis"
)

// The messages are the scheduler's own.
func TestScheduler(t *testing.T) {
	for message, tc := range map[string]struct {
		says string
		held bool
	}{
		"0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.": {
			"podCopy.replaceOriginal to free it",
			true,
		},
		"0/1 nodes are available: 1 node has pod using PersistentVolumeClaim … and ReadWriteOncePod access mode.": {
			"only one pod",
			true,
		},
		"0/2 nodes are available: 2 node(s) didn't match PersistentVolume's node affinity.": {
			"podCopy.sameNode",
			false,
		},
		"0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims: volume binding": {
			"what the copy's volumes are bound to",
			false,
		},
		"0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.":         {"bypassing the scheduler", true},
		"0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints.": {"bypassing the scheduler", true},
		"0/1 nodes are available: 1 Insufficient memory.": {
			"request less",
			true,
		},
		"0/1 nodes are available: 1 cannot allocate all claims.": {
			"what the copy claims",
			true,
		},
		"0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }. No preemption": {
			"see the message",
			false,
		},
	} {
		if got := diagnosis.SchedulingRemedy(message); !strings.Contains(got, tc.says) {
			t.Errorf("%s: %q, want %q in it", message, got, tc.says)
		}
		if diagnosis.HeldByTarget(message) != tc.held {
			t.Errorf("%s: want %t", message, tc.held)
		}
	}
}
