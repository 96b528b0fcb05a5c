package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

var _ = Describe("the operator", func() {
	own := namespace(operatorNamespace)

	It("runs with no privilege, in a namespace that would allow none", func() {
		ns, err := get[corev1.Namespace](own, "namespace", operatorNamespace)
		Expect(err).NotTo(HaveOccurred())
		Expect(ns.Labels).To(HaveKeyWithValue("pod-security.kubernetes.io/enforce", "restricted"))

		deployment, err := get[appsv1.Deployment](own, "deployment", "debugsession-operator")
		Expect(err).NotTo(HaveOccurred())
		pod := deployment.Spec.Template.Spec
		Expect(pod.SecurityContext.RunAsNonRoot).To(HaveValue(BeTrue()))
		Expect(pod.SecurityContext.SeccompProfile.Type).To(Equal(corev1.SeccompProfileTypeRuntimeDefault))
		container := pod.Containers[0]
		Expect(container.SecurityContext.ReadOnlyRootFilesystem).To(HaveValue(BeTrue()))
		Expect(container.SecurityContext.Capabilities.Drop).To(ConsistOf(corev1.Capability("ALL")))
		Expect(container.ReadinessProbe.HTTPGet.Path).To(Equal("/readyz"))
		Expect(container.LivenessProbe.HTTPGet.Path).To(Equal("/healthz"))
	})

	It("has two replicas, of which a drain leaves one, on two nodes where there are two", func() {
		deployment, err := get[appsv1.Deployment](own, "deployment", "debugsession-operator")
		Expect(err).NotTo(HaveOccurred())
		Expect(deployment.Spec.Replicas).To(HaveValue(BeEquivalentTo(2)))
		Expect(deployment.Spec.Template.Spec.TopologySpreadConstraints).To(ContainElement(And(
			HaveField("TopologyKey", corev1.LabelHostname), HaveField("LabelSelector.MatchLabels", deployment.Spec.Selector.MatchLabels))))
		Eventually(func(g Gomega) {
			budget, err := get[policyv1.PodDisruptionBudget](own, "poddisruptionbudget", "debugsession-operator")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(budget.Status.CurrentHealthy).To(BeEquivalentTo(2))
			g.Expect(budget.Status.DisruptionsAllowed).To(BeEquivalentTo(1))
		}).Should(Succeed())
	})

	It("may not do what it does not need", func() {
		for _, tooMuch := range []string{
			"get secrets", "list secrets", "delete namespaces", "update deployments.apps", "patch pods", "update pods",
			"create debugapprovals.debugsession.dev", "impersonate users", "list nodes",
		} {
			words := strings.Fields(tooMuch)
			out, _ := tryKubectl("auth", "can-i", words[0], words[1], "-n", "default",
				"--as=system:serviceaccount:"+operatorNamespace+":debugsession-operator")
			Expect(strings.TrimSpace(out)).To(Equal("no"), tooMuch)
		}
	})

	It("leads by a lease, and sessions go on and end on time when its pod is replaced, with no more access than before", Serial, func() {
		n := newNamespace()
		n.pod("web")
		n.session("copy", copyOf+"  ttl: 20s\n")
		n.session("hang", shell+"  ttl: 20s\n")
		n.session("longer", shell+"  ttl: 30m\n")
		n.reaches("copy", v1alpha1.PhaseActive)
		session := n.reaches("hang", v1alpha1.PhaseActive)
		taken := n.reaches("longer", v1alpha1.PhaseActive).Status.Access.Name
		n.kubectl("delete", "role,rolebinding", taken)

		leader := holder(own)
		Expect(leader).To(HavePrefix("debugsession-operator-"))
		own.kubectl("delete", "pod", "-l", operatorPods, "--wait=false")
		for _, name := range []string{"copy", "hang"} {
			ended := n.ends(name, v1alpha1.OutcomeExpired)
			Expect(time.Since(ended.Status.ExpiresAt.Time)).To(BeNumerically("<", 10*time.Second), name)
		}
		Expect(n.debuggerState(session).Terminated).NotTo(BeNil())
		Expect(holder(own)).NotTo(Equal(leader))
		Expect(n.get("longer").Status.Phase).To(Equal(v1alpha1.PhaseActive))
		Expect(n.kubectl("get", "role,rolebinding", "--field-selector=metadata.name="+taken, "-o", "name")).To(BeEmpty(), "what an administrator has taken away")
		operatorReady()
	})

	It("is not needed for a debugger to end on time", Serial, func() {
		n := newNamespace()
		n.pod("web")
		deadline := time.Now().Add(20 * time.Second).UTC().Truncate(time.Second)
		until := "  notAfter: '" + deadline.Format(time.RFC3339) + "'\n"
		n.session("hang", shell+"  ttl: 20s\n")
		n.session("copy", copyOf+until)
		session := n.reaches("hang", v1alpha1.PhaseActive)
		made := n.reaches("copy", v1alpha1.PhaseActive).Status.Debugger.PodName
		Expect(session.Status.HardDeadline.After(deadline.Add(time.Minute))).To(BeTrue())

		DeferCleanup(func() {
			own.kubectl("scale", operator, "--replicas=2")
			operatorReady()
		})
		own.kubectl("scale", operator, "--replicas=0")
		own.kubectl("wait", "--for=delete", "pod", "-l", operatorPods, "--timeout=30s")
		Eventually(func() *corev1.ContainerStateTerminated { return n.debuggerState(session).Terminated }).ShouldNot(BeNil())
		Eventually(func() string { return n.getPod(made).Status.Reason }).Should(Equal("DeadlineExceeded"))
		Expect(n.get("hang").Status.Phase).To(Equal(v1alpha1.PhaseActive), "nobody was there to write it down")

		own.kubectl("scale", operator, "--replicas=2")
		n.ends("hang", v1alpha1.OutcomeExpired)
		n.ends("copy", v1alpha1.OutcomeExpired)
	})

	It("measures", func() {
		n := newNamespace()
		n.pod("web")
		n.session("copy", copyOf)
		n.reaches("copy", v1alpha1.PhaseActive)
		scrape := n.scraper()
		_, status := leader().metrics("")
		Expect(status).To(Equal(http.StatusUnauthorized))
		_, status = leader().metrics(strings.TrimSpace(n.kubectl("create", "token", "default")))
		Expect(status).To(Equal(http.StatusForbidden))
		Eventually(scrape).Should(And(
			MatchRegexp(`(?m)^debugsession_sessions\{mode="PodCopy",phase="Active"\} [1-9]`),
			MatchRegexp(`(?m)^debugsession_ready_seconds_count\{mode="PodCopy"\} [1-9]`),
			MatchRegexp(`(?m)^debugsession_outcomes_total\{mode="PodCopy",outcome="Expired"\} \d`),
			MatchRegexp(`(?m)^debugsession_pod_watches \d`),
			MatchRegexp(`(?m)^debugsession_class_sessions\{class="standard",phase="Active"\} [1-9]`),
			MatchRegexp(`(?m)^debugsession_overdue_seconds \d`),
			MatchRegexp(`(?m)^debugsession_certificate_expiry_timestamp_seconds 1\.\d+e\+09$`),
			ContainSubstring("controller_runtime_reconcile_total"),
		))
	})

	It("logs each move of a session as JSON, with keys that stay", func() {
		n := newNamespace()
		n.pod("web")
		n.session("copy", copyOf)
		session := n.reaches("copy", v1alpha1.PhaseActive)
		var moves []map[string]any
		for line := range strings.Lines(own.kubectl("logs", "-l", operatorPods, "--since=60s", "--tail=-1")) {
			entry := map[string]any{}
			Expect(json.Unmarshal([]byte(line), &entry)).To(Succeed(), line)
			Expect(entry).To(And(HaveKey("level"), HaveKey("ts"), HaveKey("msg")), line)
			if entry["uid"] == string(session.UID) {
				moves = append(moves, entry)
			}
		}
		Expect(moves).To(ContainElement(And(
			HaveKeyWithValue("to", "Active"), HaveKeyWithValue("from", "Starting"), HaveKeyWithValue("mode", "PodCopy"),
			HaveKeyWithValue("targetPod", "web"), HaveKeyWithValue("debuggerPod", session.Status.Debugger.PodName),
			HaveKeyWithValue("requester", session.Spec.Requester.Username), HaveKey("expiresAt"), HaveKey("imageID"),
		)))
	})
})

var _ = Describe("kubectl", func() {
	It("explains every field", func() {
		crds := kubectl("get", "crd", "-o",
			"jsonpath={range .items[?(@.spec.group=='debugsession.dev')]}{.spec.names.singular}{'\\t'}"+
				"{.spec.versions[0].schema.openAPIV3Schema}{'\\n'}{end}")
		for line := range strings.Lines(crds) {
			kind, raw, _ := strings.Cut(line, "\t")
			root := schema{}
			Expect(json.Unmarshal([]byte(raw), &root)).To(Succeed())
			Expect(root.undocumented(kind)).To(BeEmpty())
		}
		Expect(kubectl("explain", "dbg.spec.ttl")).To(ContainSubstring("how long the session lasts"))
		Expect(kubectl("explain", "dbg.spec.target", "--recursive")).To(ContainSubstring("podName"))
	})

	It("lists sessions at a glance", func() {
		n := newNamespace()
		n.pod("web")
		n.session("copy", copyOf)
		session := n.reaches("copy", v1alpha1.PhaseActive)
		Expect(n.kubectl("get", "dbg")).To(MatchRegexp(`(?m)^copy +web +PodCopy +Active +Running .*\dZ +\d+s$`))
		Expect(n.kubectl("get", "debug", "-o", "wide")).To(ContainSubstring(session.Status.Debugger.ContainerName))
		Expect(n.kubectl("describe", "dbg", "copy")).To(ContainSubstring(session.Status.Attach))
		n.kubectl("wait", "dbg", "copy", "--for=condition=Ready", "--timeout=5s")
	})
})

func holder(n namespace) string {
	lease, err := get[coordinationv1.Lease](n, "lease", "debugsession-operator")
	if err != nil || lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// schema is as much of an OpenAPI schema as tells what is documented.
type schema struct {
	Description string            `json:"description"`
	Properties  map[string]schema `json:"properties"`
	Items       *schema           `json:"items"`
}

// undocumented lists the paths of fields that say nothing about themselves. Kubernetes' own types, below metadata and in
// what a container has, are as Kubernetes documents them.
func (s schema) undocumented(path string) []string {
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		field, at := s.Properties[name], fmt.Sprintf("%s.%s", path, name)
		if field.Description == "" && name != "metadata" {
			missing = append(missing, at)
		}
		if field.Items != nil {
			field.Properties = field.Items.Properties
		}
		missing = append(missing, field.undocumented(at)...)
	}
	return missing
}
