package podexec

import "testing"

// A node that is told to end many debuggers at once has them end no sooner, and everything else on it waits.
func TestANodeIsToldOnlySomeAtOnce(t *testing.T) {
	const workers = 8
	l := NewLimiter(nil, workers)
	var ends []func()
	begin := func(node string, want bool) {
		t.Helper()
		end, ok := l.begin(node, false)
		if ok != want {
			t.Fatalf("%s: %t with %d running there", node, ok, l.onNode[node])
		}
		if ok {
			ends = append(ends, end)
		}
	}
	begin("node-1", true)
	begin("node-1", true)
	begin("node-1", false)
	begin("node-2", true)
	ends[0]()
	begin("node-1", true)
	for _, end := range ends[1:] {
		end()
	}
	if len(l.onNode) > 0 || l.running > 0 {
		t.Errorf("%d run, %v", l.running, l.onNode)
	}
}
