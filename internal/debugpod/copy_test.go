package debugpod

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"debugsession.dev/operator/api/v1alpha1"
)

func TestDeadline(t *testing.T) {
	for _, test := range []struct {
		name string
		left time.Duration
		own  *int64
		want int64
	}{
		{"what is left", time.Hour, nil, 3600},
		{"never longer than what is left", 90*time.Second + 999*time.Millisecond, nil, 90},
		{"at least a second", 300 * time.Millisecond, nil, 1},
		{"at least a second, also when it has passed", -time.Hour, nil, 1},
		{"the target's own if it is less", time.Hour, new(int64(60)), 60},
		{"what is left if that is less", time.Minute, new(int64(3600)), 60},
	} {
		target := readTarget(t, "web-0")
		target.Spec.ActiveDeadlineSeconds = test.own
		session := admitted(v1alpha1.ModePodCopy)
		copied, err := Copy(session, target, session.Status.HardDeadline.Add(-test.left))
		if err != nil {
			t.Fatal(err)
		}
		if got := *copied.Spec.ActiveDeadlineSeconds; got != test.want {
			t.Errorf("%s: activeDeadlineSeconds = %d, want %d", test.name, got, test.want)
		}
	}
}

// At the hard deadline the kubelet gives a pod its own grace period, whoever is there: the target's may be an hour.
func TestGracePeriod(t *testing.T) {
	for name, test := range map[string]struct {
		own  *int64
		want int64
	}{
		"the default": {nil, 1},
		"an hour":     {new(int64(3600)), 1},
		"none":        {new(int64(0)), 0},
	} {
		target := readTarget(t, "web-0")
		target.Spec.TerminationGracePeriodSeconds = test.own
		sleep := &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 5}}
		hook := &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"flush"}}}
		target.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: sleep}
		target.Spec.Containers[1].Lifecycle = &corev1.Lifecycle{PreStop: hook}
		copied, err := Copy(admitted(v1alpha1.ModePodCopy), target, now)
		if err != nil {
			t.Fatal(err)
		}
		if got := copied.Spec.TerminationGracePeriodSeconds; got == nil || *got != test.want {
			t.Errorf("%s: terminationGracePeriodSeconds is not %d", name, test.want)
		}
		if hooks := copied.Spec.Containers[0].Lifecycle; hooks != nil {
			t.Errorf("%s: it is to sleep longer than it has: %+v", name, hooks)
		}
		if hooks := copied.Spec.Containers[1].Lifecycle; hooks == nil || hooks.PreStop == nil {
			t.Errorf("%s: another hook is gone", name)
		}
	}
	session := admitted(v1alpha1.ModeNode)
	session.Status.Target = &v1alpha1.TargetStatus{NodeName: "node-1"}
	pod, err := Node(session, now)
	if err != nil {
		t.Fatal(err)
	}
	if got := pod.Spec.TerminationGracePeriodSeconds; got == nil || *got != 1 {
		t.Error("the pod on a node has another terminationGracePeriodSeconds than 1")
	}
}

func TestShareProcesses(t *testing.T) {
	for _, test := range []struct {
		name      string
		asked     *bool
		own       *bool
		hostPID   bool
		windows   bool
		noOptions bool
		want      *bool
	}{
		{name: "by default", want: new(true)},
		{name: "by default, without any options", noOptions: true, want: new(true)},
		{name: "by default, although the target does not", own: new(false), want: new(true)},
		{name: "when asked", asked: new(true), want: new(true)},
		{name: "not when asked not to", asked: new(false), own: new(true), want: new(false)},
		{name: "not in the host's PID namespace", hostPID: true, want: nil},
		{
			name:    "not in the host's PID namespace, not when asked either",
			asked:   new(true),
			own:     new(false),
			hostPID: true,
			want:    new(false),
		},
		{name: "not on Windows", windows: true, want: nil},
		{name: "not on Windows when asked not to", asked: new(false), windows: true, want: nil},
	} {
		target := &corev1.Pod{Spec: corev1.PodSpec{ShareProcessNamespace: test.own, HostPID: test.hostPID}}
		if test.windows {
			target.Spec.OS = &corev1.PodOS{Name: corev1.Windows}
		}
		session := admitted(v1alpha1.ModePodCopy)
		session.Spec.PodCopy.ShareProcesses = test.asked
		if test.noOptions {
			session.Spec.PodCopy = nil
		}
		copied, err := Copy(session, target, now)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, copied.Spec.ShareProcessNamespace); diff != "" {
			t.Errorf("%s: shareProcessNamespace (- wanted, + built):\n%s", test.name, diff)
		}
	}
}

// A gate holds the scheduler back. It stays when there is something to schedule, and the API server refuses it on a pod
// that already has a node.
func TestSchedulingGates(t *testing.T) {
	gates := []corev1.PodSchedulingGate{{Name: "example.com/quota"}}
	for _, test := range []struct {
		name, node string
		sameNode   bool
		want       []corev1.PodSchedulingGate
	}{
		{"scheduled anew", "node-1", false, gates},
		{"on the target's node", "node-1", true, nil},
		{"on the node of a target that has none", "", true, gates},
	} {
		target := &corev1.Pod{Spec: corev1.PodSpec{NodeName: test.node, SchedulingGates: gates}}
		session := admitted(v1alpha1.ModePodCopy)
		session.Spec.PodCopy.SameNode = test.sameNode
		copied, err := Copy(session, target, now)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, copied.Spec.SchedulingGates); diff != "" {
			t.Errorf("%s: schedulingGates (- wanted, + built):\n%s", test.name, diff)
		}
	}
}

func TestResources(t *testing.T) {
	asked := &corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("1")}}
	session := admitted(v1alpha1.ModePodCopy)
	session.Spec.Debugger.Resources = asked
	session.Spec.PodCopy.Containers = []v1alpha1.ContainerChange{{Name: "app", Resources: asked}}
	copied, err := Copy(session, readTarget(t, "web-0"), now)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 2} {
		if diff := cmp.Diff(*asked, copied.Spec.Containers[i].Resources); diff != "" {
			t.Errorf("container %s (- wanted, + built):\n%s", copied.Spec.Containers[i].Name, diff)
		}
	}
}
