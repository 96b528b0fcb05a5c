package e2e

import (
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// once applies a session that runs a script, and returns it when it has ended by itself. More is further lines of its spec.
func (n namespace) once(name, script, more string) *v1alpha1.DebugSession {
	GinkgoHelper()
	n.session(name, fmt.Sprintf(`
  target: {podName: web}
  debugger:
    image: busybox:1.36
    command: [sh, -c, %q]
%s`, script, more))
	return n.ends(name, v1alpha1.OutcomeCompleted)
}

var _ = Describe("a debugger without stdin", func() {
	It("runs once, and its exit code and the end of its output are in the session", func() {
		n := newNamespace()
		n.pod("web")
		for _, mode := range []string{"  mode: EphemeralContainer\n", "  mode: PodCopy\n"} {
			session := n.once("once", "exec 2>&1; seq 1000; echo done; ls /no/such; exit 7", mode)
			Expect(session.Status.Debugger.ExitCode).To(HaveValue(BeEquivalentTo(7)))
			Expect(session.Status.Debugger.Output).
				To(And(HaveSuffix("999\n1000\ndone\nls: /no/such: No such file or directory"), Not(HavePrefix("1\n"))))
			Expect(len(session.Status.Debugger.Output)).To(BeNumerically("<=", 1024))
			Expect(session.Status.Message()).To(ContainSubstring("exit code 7"))
			n.kubectl("delete", "dbg", "once", "--timeout=30s")
		}
	})
})

var _ = Describe("the target's environment", func() {
	It("is the debugger's too, beside it and in a copy, as the kubelet resolves it", func() {
		n := newNamespace()
		n.kubectl("create", "secret", "generic", "db", "--from-literal=password=s3cret")
		n.kubectl("create", "configmap", "app", "--from-literal=LEVEL=info", "--from-literal=REGION=north")
		n.podWith(`
  terminationGracePeriodSeconds: 1
  containers:
  - name: app
    image: busybox:1.36
    command: [sleep, infinity]
    resources: {limits: {memory: 64Mi}, requests: {cpu: 10m}}
    envFrom: [{configMapRef: {name: app}}]
    env:
    - {name: PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}
    - {name: DSN, value: "db://app:$(PASSWORD)@db"}
    - {name: MEMORY, valueFrom: {resourceFieldRef: {resource: limits.memory}}}
    - {name: SELF, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
`)
		const shows = `echo "<$PASSWORD $DSN $MEMORY $SELF $LEVEL $REGION>"`
		for name, mode := range map[string]string{"beside": "EphemeralContainer", "copy": "PodCopy"} {
			session := n.once(name, shows, "    envFromTarget: true\n    env: [{name: LEVEL, value: debug}]\n  className: e2e-everything\n  mode: "+mode+"\n")
			Expect(session.Status.Debugger.Output).To(Equal("<s3cret db://app:s3cret@db 67108864 " + string(n) + " debug north>"))
		}
		Expect(n.once("without", shows, "").Status.Debugger.Output).To(Equal("<     >"))
	})
})

var _ = Describe("the target's files", func() {
	It("are where TARGET_ROOT says, for who runs as the target's user, and nothing is written there", func() {
		n := newNamespace()
		pod := n.pod("web")
		Expect(pod.Spec.Containers[0].SecurityContext).To(BeNil(), "only the kubelet knows whose user it is")
		const (
			asTarget = "    runAs: FromTarget\n"
			read     = `exec 2>&1; id -u; cat "$TARGET_ROOT/etc/app-config.txt"` // one stream: of two nobody knows which comes first
			// All that is there, and when it was changed last, but for what is mounted there: the kubelet writes a pod's hosts
			// whenever it starts a container.
			list = `find "$TARGET_ROOT/" -xdev ! -path "*/proc" ! -path "*/dev" ! -path "*/sys" ! -path "*/etc/hosts" \
				-exec stat -c "%n %Z" {} ";" | sort >/tmp/list;
				grep -c etc/app-config.txt /tmp/list; md5sum </tmp/list; tail -n 12 /tmp/list`
		)
		before := n.once("before", list, asTarget).Status.Debugger.Output
		Expect(before).To(HavePrefix("1\n"))

		denied := n.once("denied", read, "  profile: baseline\n")
		Expect(denied.Status.Debugger.Output).To(And(HavePrefix("0\n"), ContainSubstring("Permission denied")),
			"root without a capability for it is nobody to another user's process")
		Expect(denied.Status.Debugger.ExitCode).To(HaveValue(BeEquivalentTo(1)))

		for _, profile := range []string{"restricted", "baseline"} {
			allowed := n.once("as-target-"+profile, read, asTarget+"  profile: "+profile+"\n")
			Expect(allowed.Status.Debugger.Output).To(Equal("65532\ngreeting = hello"), profile)
		}
		traced := n.once("traced", read, "  profile: general\n")
		Expect(traced.Status.Debugger.Output).To(Equal("0\ngreeting = hello"), "root that may trace")

		// One that is ended rather than ends: what stops it writes nothing either.
		n.session("ended", shell)
		n.reaches("ended", v1alpha1.PhaseActive)
		n.end("ended")

		Expect(n.once("after", list, asTarget).Status.Debugger.Output).To(Equal(before))
	})

	It("on its volumes are mounted by one line, but for parts of volumes, which the status names", func() {
		n := newNamespace()
		n.apply(`{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {app.conf: "level = high"}}`)
		n.apply(`
apiVersion: v1
kind: Pod
metadata: {name: web, annotations: {kubectl.kubernetes.io/default-container: app}}
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 1
  containers:
  - {name: proxy, image: "` + appImage + `", env: [{name: PORT, value: "8081"}]}
  - name: app
    image: busybox:1.36
    command: [sh, -c, "echo queued >/data/here; exec sleep 1000"]
    readinessProbe: {exec: {command: [test, -s, /data/here]}, periodSeconds: 1}
    volumeMounts:
    - {name: data, mountPath: /data}
    - {name: settings, mountPath: /settings, readOnly: true}
    - {name: settings, mountPath: /etc/app.conf, subPath: app.conf}
  volumes: [{name: data, emptyDir: {}}, {name: settings, configMap: {name: settings}}]
`)
		n.ready("web")
		const (
			script = `exec 2>&1; cat /data/here; cat /settings/app.conf; echo; cat /etc/app.conf; echo; echo x >/settings/mine`
			mounts = "    mountsFrom: app\n"
		)
		session := n.once("joined", script, mounts)
		Expect(session.Status.Target.Container).To(Equal("app"), "which the pod's annotation names")
		Expect(session.Status.Debugger.MountsLeftOut).To(ConsistOf("/etc/app.conf"))
		Expect(session.Status.Debugger.Output).To(And(ContainSubstring("queued\nlevel = high\n"),
			ContainSubstring("can't open '/etc/app.conf'"), ContainSubstring("can't create /settings/mine: Read-only file system")))

		session = n.once("copied", `sleep 1; `+script, mounts+"  mode: PodCopy\n")
		Expect(session.Status.Debugger.MountsLeftOut).To(BeEmpty())
		Expect(session.Status.Debugger.Output).To(ContainSubstring("queued\nlevel = high\nlevel = high\n"))
	})
})

var _ = Describe("a pod in its node's namespaces", func() {
	It("is debugged in both modes, and the node's other processes are left alone", func() {
		n := newNamespace()
		n.podWith(`
  hostPID: true
  hostNetwork: true
  terminationGracePeriodSeconds: 1
  containers: [{name: app, image: "busybox:1.36", command: [sleep, "1234"]}]
`)
		n.session("joined", shell)
		n.session("copied", copyOf)
		for _, name := range []string{"joined", "copied"} {
			session := n.reaches(name, v1alpha1.PhaseActive)
			Expect(n.exec(session, "ps")).To(And(ContainSubstring("sleep 1234"), ContainSubstring("kubelet")), name)
			Expect(n.exec(session, "sh", "-c", `echo "<$TARGET_ROOT>"`)).To(Equal("<>\n"), "number 1 is not the target's here")
			n.end(name)
		}
		Expect(n.getPod("web").Status.ContainerStatuses[0].State.Running).NotTo(BeNil())
		Expect(n.getPod("web").Status.ContainerStatuses[0].RestartCount).To(BeZero())
	})
})

var _ = Describe("a pod in a user namespace", func() {
	It("is debugged in both modes, with its target's user too", func() {
		n := newNamespace()
		n.apply(`
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  hostUsers: false
  terminationGracePeriodSeconds: 1
  containers: [{name: app, image: "` + appImage + `", env: [{name: PORT, value: "8080"}]}]
`)
		const unsupported = "runtime does not support user namespaces"
		var events string
		Eventually(func() bool {
			events = n.kubectl("get", "events", "-o", "jsonpath={.items[*].message}")
			ready := func(s corev1.ContainerStatus) bool { return s.Ready }
			return strings.Contains(events, unsupported) || slices.ContainsFunc(n.getPod("web").Status.ContainerStatuses, ready)
		}).Should(BeTrue())
		if strings.Contains(events, unsupported) {
			Skip("no node can run such a pod: " + events)
		}
		session := n.once("joined", `id -u; cat "$TARGET_ROOT/etc/app-config.txt"`, "    runAs: FromTarget\n")
		Expect(session.Status.Debugger.Output).To(Equal("65532\ngreeting = hello"))
		session = n.once("copied", `cat /proc/self/uid_map; ps`, "  mode: PodCopy\n")
		Expect(session.Status.Debugger.Output).To(And(ContainSubstring("/server"), Not(MatchRegexp(`(?m)^ +0 +0 `))))
	})
})
