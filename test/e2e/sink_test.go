package e2e

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"debugsession.dev/operator/api/v1alpha1"
)

var _ = Describe("a sink", Serial, func() {
	It("that hangs, answers 500, drops connections and comes back hears of all of it, in order, also from an operator that was replaced; "+
		"and no other waits for that", func() {
		n := newNamespace()
		kubectl("label", "namespace", string(n), "e2e="+string(n))
		n.pod("web")
		n.doorbells()
		sick, well := n.sink("sick"), n.sink("well")
		token := n.metricsToken()
		dead := func(g Gomega, sink string) string {
			text, _ := leader().metrics(token)
			found := regexp.MustCompile(`(?m)^debugsession_sink_dead\{sink="` + sink + `"\} (\d)$`).FindStringSubmatch(text)
			g.Expect(found).NotTo(BeEmpty(), text)
			return found[1]
		}
		var names []string
		during := func(trouble string) {
			GinkgoHelper()
			n.kubectl("exec", "doorbell", "--", "sh", "-c", "echo "+trouble+" >/tmp/trouble")
			name := "hang-" + trouble
			names = append(names, name)
			n.session(name, shell)
			n.reaches(name, v1alpha1.PhaseActive)
			n.end(name)
			n.ends(name, v1alpha1.OutcomeTerminated)
			Eventually(n.heard("well", name)).WithTimeout(10 * time.Second).Should(Equal(told))
			Eventually(n.delivering(sick)).WithTimeout(time.Minute).Should(Equal("False NotDelivered"))
			Eventually(func(g Gomega) {
				g.Expect(dead(g, sick)).To(Equal("1"))
				g.Expect(dead(g, well)).To(Equal("0"))
			}).WithTimeout(time.Minute).WithPolling(2 * time.Second).Should(Succeed())
			Expect(n.heard("sick", name)()).To(BeEmpty())
		}
		during("hangs")
		during("fails")
		leads := holder(namespace(operatorNamespace))
		kubectl("-n", operatorNamespace, "delete", "pod", "-l", operatorPods, "--wait=false")
		Eventually(func() string { return holder(namespace(operatorNamespace)) }).WithTimeout(time.Minute).ShouldNot(Equal(leads))
		operatorReady()
		during("drops")

		n.kubectl("exec", "doorbell", "--", "rm", "/tmp/trouble")
		for _, name := range names {
			Eventually(n.heard("sick", name)).WithTimeout(2*time.Minute).Should(Equal(told), name)
			Expect(n.heard("well", name)()).To(Equal(told), name)
		}
		Eventually(n.delivering(sick)).Should(HavePrefix("True"))
		Eventually(func(g Gomega) { g.Expect(dead(g, sick)).To(Equal("0")) }).WithPolling(2 * time.Second).Should(Succeed())
		events := func(sink string) string {
			out, _ := tryKubectl("-n", "default", "get", "events",
				"--field-selector", "involvedObject.kind=DebugSink,involvedObject.name="+sink, "-o", "jsonpath={.items[*].reason}")
			return out
		}
		Eventually(events).WithArguments(sick).
			Should(And(ContainSubstring(v1alpha1.ReasonNotDelivered), ContainSubstring(v1alpha1.ReasonDelivering)))
		Expect(events(well)).NotTo(ContainSubstring(v1alpha1.ReasonNotDelivered))
	})
})

// told is what a sink is told of a session that runs and is ended, in this order.
var told = []string{"Active", "Ended"}

// doorbells is a pod that prints what is posted to it, at one path as long as nothing says that it has trouble, and at another always.
func (n namespace) doorbells() {
	GinkgoHelper()
	n.apply(`
apiVersion: v1
kind: ConfigMap
metadata: {name: doorbells}
data:
  well: |
    #!/bin/sh
    { echo "well $(head -c "$CONTENT_LENGTH")"; } >/proc/1/fd/1
    printf 'Status: 204 No Content\r\n\r\n'
  sick: |
    #!/bin/sh
    body=$(head -c "$CONTENT_LENGTH")
    case "$(cat /tmp/trouble 2>/dev/null)" in
    hangs) exec sleep 600 ;;
    fails) printf 'Status: 500 Internal Server Error\r\n\r\n'; exit ;;
    drops) kill -9 "$PPID"; exit ;; # the process of this connection
    esac
    echo "sick $body" >/proc/1/fd/1
    printf 'Status: 204 No Content\r\n\r\n'
---
apiVersion: v1
kind: Pod
metadata: {name: doorbell}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: doorbell
    image: busybox:1.36
    command: [httpd, -f, -p, "8080", -h, /www]
    readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
    volumeMounts: [{name: doorbells, mountPath: /www/cgi-bin}]
  volumes:
  - {name: doorbells, configMap: {name: doorbells, defaultMode: 0555}}
`)
	n.ready("doorbell")
}

// sink is told of the namespace's sessions at that path as long as the spec runs. It returns its name.
func (n namespace) sink(path string) string {
	GinkgoHelper()
	name := string(n) + "-" + path
	_, err := feedKubectl(fmt.Sprintf(`
apiVersion: debugsession.dev/v1alpha1
kind: DebugSink
metadata: {name: %s}
spec:
  url: http://%s:8080/cgi-bin/%s
  allowHTTP: true
  timeout: 1s
  types: [%s]
  namespaceSelector: {matchLabels: {e2e: %s}}
`, name, n.getPod("doorbell").Status.PodIP, path, strings.Join(told, ", "), n), "apply", "-f", "-")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { kubectl("delete", "debugsink", name) })
	kubectl("wait", "debugsink/"+name, "--for=condition=Ready", "--timeout=60s")
	return name
}

// delivering is whether a sink is said to get what it is told, and the word for it.
func (n namespace) delivering(sink string) func() string {
	return func() string {
		out, _ := tryKubectl("get", "debugsink", sink, "-o", `jsonpath={.status.conditions[?(@.type=="Delivering")]['status','reason']}`)
		return out
	}
}

// heard are the types of what was posted to a path of a session, in order. What was posted more than once, by the same ID, is there once.
func (n namespace) heard(path, session string) func() []string {
	return func() []string {
		types, seen := []string{}, map[string]bool{}
		out, _ := tryKubectl("-n", string(n), "logs", "doorbell")
		for line := range strings.Lines(out) {
			body, ours := strings.CutPrefix(line, path+" ")
			var event struct {
				ID   string
				Data struct {
					Type    string
					Session struct{ Name string }
				}
			}
			if !ours || json.Unmarshal([]byte(body), &event) != nil || event.Data.Session.Name != session || seen[event.ID] {
				continue
			}
			seen[event.ID] = true
			types = append(types, event.Data.Type)
		}
		return types
	}
}
