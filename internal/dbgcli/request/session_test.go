package request

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
)

var now = time.Date(2026, 11, 27, 11, 40, 5, 0, time.UTC)

// rollouts is a cluster that serves one more kind.
func rollouts(resource string) (schema.GroupVersionKind, error) {
	if resource == "rollouts" {
		return schema.GroupVersionKind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout"}, nil
	}
	return schema.GroupVersionKind{}, errors.New("no such kind")
}

func TestTarget(t *testing.T) {
	for typed, want := range map[string]string{
		"web":                "podName: web",
		"pod/web":            "podName: web",
		"po/web":             "podName: web",
		"deploy/web":         "workload: {apiVersion: apps/v1, kind: Deployment, name: web}",
		"Deployment/web":     "workload: {apiVersion: apps/v1, kind: Deployment, name: web}",
		"sts/db":             "workload: {apiVersion: apps/v1, kind: StatefulSet, name: db}",
		"ds/agent":           "workload: {apiVersion: apps/v1, kind: DaemonSet, name: agent}",
		"rs/web-5d9":         "workload: {apiVersion: apps/v1, kind: ReplicaSet, name: web-5d9}",
		"cj/report":          "workload: {apiVersion: batch/v1, kind: CronJob, name: report}",
		"job/import":         "workload: {apiVersion: batch/v1, kind: Job, name: import}",
		"jobs.batch/x":       "workload: {apiVersion: batch/v1, kind: Job, name: x}",
		"rc/old":             "workload: {apiVersion: v1, kind: ReplicationController, name: old}",
		"rollouts/web":       "workload: {apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: web}",
		"node/worker-1":      "nodeName: worker-1",
		"pvc/data-db-0":      "volumeClaim: {name: data-db-0}",
		"-l app=web":         "selector: {matchLabels: {app: web}}",
		"-l app in (web,db)": "selector: {matchExpressions: [{key: app, operator: In, values: [db, web]}]}",
	} {
		o := &Options{Target: typed}
		if selector, yes := strings.CutPrefix(typed, "-l "); yes {
			o = &Options{Selector: selector}
		}
		session, err := o.Session(rollouts, "alice", now)
		if err != nil {
			t.Errorf("%s: %v", typed, err)
			continue
		}
		var target v1alpha1.Target
		if err := yaml.UnmarshalStrict([]byte(want), &target); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(target, session.Spec.Target, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s:\n%s", typed, diff)
		}
	}
}

func TestSession(t *testing.T) {
	notAfter := now.Add(time.Hour)
	for name, test := range map[string]struct {
		options Options
		want    string
	}{
		"a shell": {
			Options{Target: "web", Stdin: true, TTY: true},
			`{target: {podName: web}, mode: EphemeralContainer, debugger: {stdin: true, tty: true}}`,
		},
		"a pipe": {
			Options{Target: "web", Stdin: true, Command: []string{"cat"}},
			`{target: {podName: web}, mode: EphemeralContainer, debugger: {command: [cat], stdin: true}}`,
		},
		"all of a debugger": {
			Options{
				Target: "web", Image: "busybox", TargetContainer: "app", Profile: "netadmin", Env: map[string]string{"B": "2", "A": "1"},
				ImagePullPolicy: corev1.PullAlways, ArgumentsOnly: true, Command: []string{"-x"},
				Custom: &corev1.Container{Env: []corev1.EnvVar{{Name: "A", Value: "0"}, {Name: "C", Value: "3"}}, WorkingDir: "/tmp"},
				Class:  "production", Reason: "INC-1", TTL: 90 * time.Minute, NotAfter: &notAfter,
			},
			`{target: {podName: web, container: app}, mode: EphemeralContainer, className: production, reason: INC-1, ttl: 1h30m,
  profile: netadmin, notAfter: "2026-11-27T12:40:05Z", debugger: {image: busybox, args: ["-x"], workingDir: /tmp, imagePullPolicy: Always,
  env: [{name: A, value: "0"}, {name: B, value: "2"}, {name: C, value: "3"}]}}`,
		},
		"one that waits for a crash": {
			Options{Target: "deploy/web", When: &v1alpha1.When{Crashed: true}, NotAfter: &notAfter, Command: []string{"ps"}},
			`{target: {workload: {apiVersion: apps/v1, kind: Deployment, name: web}, when: {crashed: true}}, mode: EphemeralContainer,
  notAfter: "2026-11-27T12:40:05Z", debugger: {command: [ps]}}`,
		},
		"one that waits for three crashes": {
			Options{Target: "deploy/web", When: &v1alpha1.When{Crashed: true, Times: 3}, NotAfter: &notAfter, Command: []string{"ps"}},
			`{target: {workload: {apiVersion: apps/v1, kind: Deployment, name: web}, when: {crashed: true, times: 3}}, mode: EphemeralContainer,
  notAfter: "2026-11-27T12:40:05Z", debugger: {command: [ps]}}`,
		},
		"a copy, pulled with Secrets": {
			Options{Target: "web", Copy: true, ImagePullSecrets: []string{"tools", "more"}},
			`{target: {podName: web}, mode: PodCopy, podCopy: {shareProcesses: false, keep: []},
  imagePullSecrets: [{name: tools}, {name: more}], debugger: {}}`,
		},
		"the target's environment": {
			Options{Target: "web", Image: "busybox", EnvFromTarget: true, Env: map[string]string{"LEVEL": "debug"}},
			`{target: {podName: web}, mode: EphemeralContainer, debugger: {image: busybox, envFromTarget: true, env: [{name: LEVEL, value: debug}]}}`,
		},
		"changed images, and a debugger with the target's environment": {
			Options{Target: "web", Copy: true, SetImages: map[string]string{"app": "web:2"}, EnvFromTarget: true},
			`{target: {podName: web}, mode: PodCopy, podCopy: {shareProcesses: false, keep: [], containers: [{name: app, image: "web:2"}]},
  debugger: {envFromTarget: true}}`,
		},
		"a node, pulled with a Secret": {
			Options{Target: "node/worker-1", Stdin: true, ImagePullSecrets: []string{"tools"}},
			`{target: {nodeName: worker-1}, mode: Node, imagePullSecrets: [{name: tools}], debugger: {stdin: true}}`,
		},
		"a copy": {
			Options{Target: "web", CopyTo: "web-debug", Stdin: true, TTY: true, Image: "busybox", ShareProcesses: true, SameNode: true,
				Keep: Kept{Labels: true, InitContainers: true}},
			`{target: {podName: web}, mode: PodCopy, debugger: {image: busybox, stdin: true, tty: true},
  podCopy: {name: web-debug, shareProcesses: true, sameNode: true, keep: [Labels, InitContainers]}}`,
		},
		"a container of a copy": {
			Options{Target: "web", Copy: true, Container: "app", Command: []string{"sh"}, Stdin: true, TTY: true},
			`{target: {podName: web}, mode: PodCopy, debugger: {container: app, command: [sh], stdin: true, tty: true}, podCopy: ` +
				`{shareProcesses: false, keep: []}}`,
		},
		"other images alone": {
			Options{Target: "web", CopyTo: "x", SetImages: map[string]string{"*": "busybox", "app": "app:debug"}, Replace: true,
				Keep: Kept{InitContainers: true}},
			`{target: {podName: web}, mode: PodCopy, debugger: {}, podCopy: {name: x, shareProcesses: false, keep: [InitContainers],
  replaceOriginal: Always, containers: [{name: "*", image: busybox}, {name: app, image: "app:debug"}]}}`,
		},
		"an idle end": {
			Options{Target: "web", Image: "busybox", Stdin: true, TTY: true, IdleTimeout: 15 * time.Minute},
			`{target: {podName: web}, mode: EphemeralContainer, idleTimeout: 15m, debugger: {image: busybox, stdin: true, tty: true}}`,
		},
		"an emergency": {
			Options{Target: "web", Stdin: true, TTY: true, Class: "breakglass", Reason: "INC-1", Emergency: true},
			`{target: {podName: web}, mode: EphemeralContainer, className: breakglass, reason: INC-1, emergency: true, debugger: {stdin: ` +
				`true, tty: true}}`,
		},
		"a volume": {
			Options{Target: "pvc/data", Stdin: true, TTY: true, ShareProcesses: true, Keep: Kept{InitContainers: true}, ImagePullSecrets: []string{"tools"}},
			`{target: {volumeClaim: {name: data}}, mode: PodCopy, imagePullSecrets: [{name: tools}], debugger: {stdin: true, tty: true}}`,
		},
		"a volume to write to": {
			Options{Target: "persistentvolumeclaim/data", MountPath: "/data", ReadWrite: true, CopyTo: "look", Stdin: true},
			`{target: {volumeClaim: {name: data, mountPath: /data, readOnly: false}}, mode: PodCopy, podCopy: {name: look, shareProcesses: false}, ` +
				`debugger: {stdin: true}}`,
		},
		"an image": {
			Options{TargetImage: "web:1", Image: "busybox", Stdin: true, TTY: true, ShareProcesses: true, Copy: true},
			`{target: {image: "web:1"}, mode: PodCopy, debugger: {image: busybox, stdin: true, tty: true}}`,
		},
		"in an image": {
			Options{TargetImage: "web:1", Container: "app", Command: []string{"sh"}, Stdin: true, ShareProcesses: true},
			`{target: {image: "web:1"}, mode: PodCopy, debugger: {container: app, command: [sh], stdin: true}}`,
		},
		"files of a container of a copy": {
			Options{Target: "web", Copy: true, Container: "app", Command: []string{"jmap"}, Artifacts: []string{"/tmp/heap"}, ShareProcesses: true},
			`{target: {podName: web}, mode: PodCopy, debugger: {container: app, command: [jmap], artifacts: [/tmp/heap]}, podCopy: ` +
				`{shareProcesses: true, keep: []}}`,
		},
		"files of a node": {
			Options{Target: "node/worker", Image: "tcpdump", Command: []string{"tcpdump"}, Artifacts: []string{"/tmp/dump"}},
			`{target: {nodeName: worker}, mode: Node, debugger: {image: tcpdump, command: [tcpdump], artifacts: [/tmp/dump]}}`,
		},
		"a node": {
			Options{Target: "node/worker", Image: "busybox", Stdin: true, TTY: true, Profile: "sysadmin"},
			`{target: {nodeName: worker}, mode: Node, profile: sysadmin, debugger: {image: busybox, stdin: true, tty: true}}`,
		},
		"a pod's network": {
			Options{Target: "web", PodNamespace: "shop", Image: "tcpdump", Profile: "netadmin", Command: []string{"tcpdump", "-c", "20"}},
			`{target: {podName: web, podNamespace: shop}, mode: Node, profile: netadmin, debugger: {image: tcpdump, command: [tcpdump, -c, "20"]}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			session, err := test.options.Session(rollouts, "alice", now)
			if err != nil {
				t.Fatal(err)
			}
			var want v1alpha1.DebugSessionSpec
			if err := yaml.UnmarshalStrict([]byte(test.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(asYAML(t, want), asYAML(t, session.Spec)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func asYAML(t *testing.T, object any) string {
	t.Helper()
	text, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRefusedBeforeItIsAsked(t *testing.T) {
	for want, o := range map[string]Options{
		"is not a target":                                    {},
		"--when waits for one of many":                       {Target: "web", When: &v1alpha1.When{Crashed: true}},
		"--when picks the pod":                               {Target: "deploy/web", When: &v1alpha1.When{Crashed: true}, Pick: v1alpha1.PickOldest},
		"with --times each copy has a name of its own":       {Target: "deploy/web", When: &v1alpha1.When{Crashed: true, Times: 2}, NotAfter: new(time.Unix(0, 0)), CopyTo: "mine"},
		"--when requires --not-after":                        {Target: "deploy/web", When: &v1alpha1.When{Crashed: true}},
		"--emergency requires --reason":                      {Target: "web", Emergency: true, Reason: " "},
		`"a/b/c" is not a target`:                            {Target: "a/b/c"},
		"not both":                                           {Target: "web", Selector: "app=web"},
		"-l app=":                                            {Selector: "app=,,"},
		"no such kind":                                       {Target: "gadget/x"},
		"use -it":                                            {Target: "web", TTY: true},
		"a node cannot be copied":                            {Target: "node/n", Copy: true},
		"a node has no containers":                           {Target: "node/n", TargetContainer: "app"},
		"--set-image requires a copy":                        {Target: "web", SetImages: map[string]string{"app": "x"}},
		"--same-node and --replace require":                  {Target: "web", SameNode: true},
		"--image-pull-secret requires a copy or a node":      {Target: "web", ImagePullSecrets: []string{"tools"}},
		"a node has no environment":                          {Target: "node/n", EnvFromTarget: true},
		"-c keeps its own environment":                       {Target: "web", Copy: true, Container: "app", EnvFromTarget: true},
		"--keep-labels and similar":                          {Target: "web", Keep: Kept{Labels: true}},
		"needs arguments":                                    {Target: "web", ArgumentsOnly: true},
		"--custom cannot set name":                           {Target: "web", Custom: &corev1.Container{Image: "x"}},
		"--idle-timeout is for":                              {Target: "node/n", IdleTimeout: time.Minute, Stdin: true, TTY: true},
		"--idle-timeout needs a":                             {Target: "web", IdleTimeout: time.Minute, Command: []string{"ps"}},
		"--pod-namespace is for one pod":                     {Target: "deploy/web", PodNamespace: "shop"},
		"--pod-namespace joins the network":                  {Target: "web", PodNamespace: "shop", Copy: true},
		"a pod's containers share its network":               {Target: "web", PodNamespace: "shop", TargetContainer: "app"},
		"a pod's network has no environment":                 {Target: "web", PodNamespace: "shop", EnvFromTarget: true},
		"on a node or in a pod's network; omit it":           {Target: "web", PodNamespace: "shop", IdleTimeout: time.Minute, Stdin: true, TTY: true},
		"no file is read out of a debugger in":               {Target: "web", PodNamespace: "shop", Artifacts: []string{"/tmp/a"}, Command: []string{"ps"}},
		"--artifact keeps what a command leaves":             {Target: "web", Artifacts: []string{"/tmp/a"}, Stdin: true},
		"specify only one of":                                {Target: "web", TargetImage: "web:1"},
		"--mount-path and --read-write are for a Persistent": {Target: "web", ReadWrite: true},
		"--replace and --same-node need a pod":               {Target: "pvc/data", SameNode: true},
		"--set-image needs a pod":                            {TargetImage: "web:1", SetImages: map[string]string{"app": "x"}},
		"--keep-labels and similar flags need a":             {Target: "pvc/data", Keep: Kept{Labels: true}},
		"a PersistentVolumeClaim has no contain":             {Target: "pvc/data", Container: "app"},
		"use --mount-path":                                   {Target: "pvc/data", Custom: &corev1.Container{VolumeMounts: []corev1.VolumeMount{{Name: "x"}}}},
		"a debugger has none":                                {Target: "web", Custom: &corev1.Container{Ports: []corev1.ContainerPort{{}}}},
	} {
		if _, err := o.Session(rollouts, "alice", now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
}

// What kubectl debug understands, and means nothing here, is said.
func TestParseWhen(t *testing.T) {
	for typed, want := range map[string]*v1alpha1.When{
		"crashed":        {Crashed: true},
		"notReadyFor=2m": {NotReadyFor: &metav1.Duration{Duration: 2 * time.Minute}},
		"notReadyFor=":   nil,
		"notReadyFor=2":  nil,
		"Crashed":        nil,
	} {
		if got, err := ParseWhen(typed); (err != nil) != (want == nil) || !cmp.Equal(got, want) {
			t.Errorf("%s: %+v, %v", typed, got, err)
		}
	}
}

func TestUnused(t *testing.T) {
	for want, o := range map[string]Options{
		"-c debugger has no effect without a copy": {Target: "web", Container: "debugger"},
		"-c shell has no effect without a copy":    {Target: "node/n", Container: "shell"},
	} {
		if got := o.Unused(); !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, o := range []Options{{Target: "web"}, {Target: "web", Copy: true, Container: "app"},
		{Target: "web", CopyTo: "x", Container: "app"}, {TargetImage: "web:1", Container: "app"}} {
		if got := o.Unused(); got != "" {
			t.Errorf("%+v: %q", o, got)
		}
	}
}

func TestName(t *testing.T) {
	for want, who := range map[string][2]string{
		"alice-checkout-261127-114005":              {"alice", "checkout"},
		"alice-smith-web-7d9f8-x2k4q-261127-114005": {"alice.smith@example.com", "web-7d9f8-x2k4q"},
		"gitops-web-261127-114005":                  {"system:serviceaccount:flux:gitops", "web"},
		"debug-debug-261127-114005":                 {"", "…"},
		"a-very-long-user-a-pod-of-a-name-that-has-no-en-261127-114005": {
			"a-very-long-user-name",
			"a-pod-of-a-name-that-has-no-end-at-all",
		},
	} {
		if got := Name(who[0], who[1], now); got != want || len(got) > 63 {
			t.Errorf("%q: %s, want %s", who, got, want)
		}
	}
}

func TestGate(t *testing.T) {
	session := func(mode v1alpha1.Mode, d v1alpha1.Debugger) *v1alpha1.DebugSession {
		return &v1alpha1.DebugSession{Spec: v1alpha1.DebugSessionSpec{Mode: mode, Debugger: d}}
	}
	quick := session(v1alpha1.ModeEphemeralContainer, v1alpha1.Debugger{Command: []string{"ps", "aux"}})
	Gate(quick)
	if d := quick.Spec.Debugger; !Gated(quick) || !d.Stdin || !d.StdinOnce || d.Command[len(d.Command)-1] != "aux" {
		t.Errorf("%+v", d)
	}
	for name, none := range map[string]*v1alpha1.DebugSession{
		"a person reads": session(v1alpha1.ModeEphemeralContainer,
			v1alpha1.Debugger{Command: []string{"top"}, Stdin: true, TTY: true}),
		"no shell is needed": session(v1alpha1.ModePodCopy, v1alpha1.Debugger{Command: []string{"/tool"}}),
		"the image runs as it is": session(v1alpha1.ModeEphemeralContainer,
			v1alpha1.Debugger{Command: []string{"/tool"}, Unstoppable: true}),
		"a shell that reads a pipe": session(v1alpha1.ModeEphemeralContainer, v1alpha1.Debugger{Stdin: true}),
	} {
		before := none.DeepCopy()
		before.Spec.Debugger.StdinOnce = before.Spec.Debugger.Stdin && !before.Spec.Debugger.TTY // a pipe's end is the command's
		Gate(none)
		if Gated(none) || !cmp.Equal(before, none) {
			t.Errorf("%s: %+v", name, none.Spec.Debugger)
		}
	}
}
