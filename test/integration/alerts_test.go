package integration

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	"github.com/prometheus/client_golang/prometheus"
	coordinationv1 "k8s.io/api/coordination/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/certs"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/operator"
	"debugsession.dev/operator/test/alerts"
)

// Each alert fires of its cause, which is made: no metric is. Prometheus scrapes the port on which the operator serves its metrics.
// What other specs leave may be a cause, too: make test-integration runs these alone.
var _ = Describe("an alert", Ordered, Label("alone"), func() {
	var namespace, folder, address string
	var stop func()
	var scraper *alerts.Server
	var printed *logs
	began := time.Now()
	node, ahead, registry, seen := &kubelet{}, &aheadClock{}, &emptied{Registerer: metrics.Registry}, map[string]bool{}

	serving := func(options *manager.Options, own *operator.Options) {
		options.Metrics = metricsserver.Options{BindAddress: address}
		registry.empty()
		own.Registry, own.Clock = registry, ahead
	}
	BeforeAll(func(ctx SpecContext) {
		address = net.JoinHostPort("localhost", strconv.Itoa(freePort()))
		folder, printed = filepath.Join(GinkgoT().TempDir(), "audit"), newLogs()
		DeferCleanup(registry.empty)
		stop = startOperator(node, storing(folder), printed.follows(), serving)
		createAnything(ctx)
		scraper = scraping(address, time.Second)
	})
	BeforeEach(func(ctx SpecContext) { namespace = newNamespace(ctx, nil) })

	firing := func(ctx context.Context) func() ([]alerts.Alert, error) {
		return func() ([]alerts.Alert, error) {
			all, err := scraper.Alerts(ctx)
			return slices.DeleteFunc(all, func(a alerts.Alert) bool { return a.State != "firing" }), err
		}
	}
	named := func(name string) types.GomegaMatcher { return HaveField("Labels", HaveKeyWithValue("alertname", name)) }
	// fires waits for an alert, whose labels have these values.
	fires := func(ctx context.Context, name string, labels ...string) {
		GinkgoHelper()
		matcher := named(name)
		for i := 0; i < len(labels); i += 2 {
			matcher = And(matcher, HaveField("Labels", HaveKeyWithValue(labels[i], labels[i+1])))
		}
		Eventually(firing(ctx)).WithPolling(200 * time.Millisecond).Should(ContainElement(matcher))
		seen[name] = true
	}
	quiet := func(ctx context.Context, name string) {
		GinkgoHelper()
		Eventually(firing(ctx)).WithPolling(200 * time.Millisecond).ShouldNot(ContainElement(named(name)))
	}
	of := func(ctx context.Context, change func(*v1alpha1.DebugClassSpec)) fixture.SessionOption {
		GinkgoHelper()
		return ofClass(newClass(ctx, "of-"+namespace, func(c *v1alpha1.DebugClass) { change(&c.Spec) }).Name)
	}

	It("does not fire while all is well", func(ctx SpecContext) {
		Eventually(func() ([]alerts.Line, error) { return scraper.Query(ctx, "debugsession_sessions") }).ShouldNot(BeEmpty())
		Eventually(func() ([]alerts.Rule, error) { return scraper.Rules(ctx) }).Should(And(
			Not(BeEmpty()), HaveEach(HaveField("Health", "ok"))))
		Eventually(firing(ctx)).Should(BeEmpty())
		Consistently(firing(ctx)).WithTimeout(2 * time.Second).Should(BeEmpty())
	})

	It("fires of a sink that is down", func(ctx SpecContext) {
		to := newEndpoint()
		sink := newSink(ctx, namespace, to)
		session := active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"))
		Eventually(to.types("hang")).Should(ContainElement(v1alpha1.NotifyActive))
		to.Close()
		edit(ctx, session, fixture.End)
		fires(ctx, "DebugSessionSinkDead", "sink", sink.Name)
	})

	It("fires of an audit store that takes nothing, and of records that are dropped meanwhile", func(ctx SpecContext) {
		session := active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"),
			ofClass(transcribing(ctx, namespace, v1alpha1.TranscriptBestEffort)))
		printed.prints(session, "/ # ls\r\n")
		Eventually(func() ([]string, error) {
			return filepath.Glob(filepath.Join(folder, "transcripts", "*", namespace, "*", "*.cast"))
		}).Should(HaveLen(1))
		Expect(os.Rename(folder, folder+".away")).To(Succeed())
		Expect(os.WriteFile(folder, nil, 0o600)).To(Succeed())
		edit(ctx, session, fixture.End)
		printed.ends(session)
		fires(ctx, "DebugSessionAuditStoreDead")

		onlyCopies := of(ctx, func(c *v1alpha1.DebugClassSpec) { c.Modes = []v1alpha1.Mode{v1alpha1.ModePodCopy} })
		refused := func(in string, options ...client.CreateOption) error {
			return k8s.Create(ctx, asked(in, "refused", onlyCopies), options...)
		}
		Eventually(func() error { return refused(namespace, client.DryRunAll) }).Should(MatchError(ContainSubstring("spec.mode")))
		for range 16 { // of which three are recorded at once, and eight wait
			Expect(refused(newNamespace(ctx, nil))).To(MatchError(ContainSubstring("spec.mode")))
		}
		fires(ctx, "DebugSessionAuditRecordsDropped")
		Expect(os.Remove(folder)).To(Succeed())
		Expect(os.Rename(folder+".away", folder)).To(Succeed())
	})

	It("fires of sessions that fail", func(ctx SpecContext) {
		pod := runningPod(ctx, namespace, "web")
		var sessions []*v1alpha1.DebugSession
		for i := range 8 {
			sessions = append(sessions, create(ctx, namespace, fmt.Sprint("hang-", i), fixture.Of("web")))
		}
		for _, session := range sessions {
			injected(ctx, session, pod)
			Expect(node.set(ctx, pod, session.Status.Debugger.ContainerName, exited(137, "OOMKilled", ""))).To(Succeed())
		}
		fires(ctx, "DebugSessionManyFail")
	})

	It("fires of an API server that does not tell who may, so that admission cannot decide", func(ctx SpecContext) {
		see := blind(ctx, "authorization.k8s.io", "subjectaccessreviews")
		Eventually(func(g Gomega) {
			g.Expect(k8s.Create(ctx, asked(namespace, "hang"))).To(MatchError(ContainSubstring("the problem is in the cluster")))
			g.Expect(firing(ctx)()).To(ContainElement(named("DebugSessionWebhookErrors")))
		}).WithPolling(200 * time.Millisecond).Should(Succeed())
		seen["DebugSessionWebhookErrors"] = true
		see(ctx)
	})

	It("fires of an API server that is slow to tell who may", func(ctx SpecContext) {
		slowReviews(1500 * time.Millisecond)
		Expect(k8s.Create(ctx, asked(namespace, "hang", fixture.Of("nobody")))).To(Succeed())
		fires(ctx, "DebugSessionWebhookSlow")
		slowReviews(0)
	})

	It("fires of a memory limit that leaves little room", func(ctx SpecContext) {
		DeferCleanup(func() { debug.SetMemoryLimit(math.MaxInt64) })
		Eventually(func(g Gomega) {
			debug.SetMemoryLimit(inUse() * 10 / 9) // again and again: what earlier specs have left may still become less
			g.Expect(firing(ctx)()).To(ContainElement(named("DebugSessionOperatorMemory")))
		}).WithPolling(200 * time.Millisecond).Should(Succeed())
		seen["DebugSessionOperatorMemory"] = true
		debug.SetMemoryLimit(math.MaxInt64)
		quiet(ctx, "DebugSessionOperatorMemory")
	})

	It("fires of a certificate that is about to end and that the operator may not renew", func(ctx SpecContext) {
		give := withhold(ctx, "secrets", "update")
		secret, _ := certificates(ctx)
		replaceCertificate(secret, time.Now().Add(24*time.Hour))
		Expect(k8s.Update(ctx, secret)).To(Succeed())
		fires(ctx, "DebugSessionCertificateExpires")
		Expect(k8s.Create(ctx, newSession(namespace, "new", "web"), client.DryRunAll)).To(Succeed(), "it is served meanwhile")
		give(ctx)
		quiet(ctx, "DebugSessionCertificateExpires")
	})

	It("fires of a session that others keep from its end", func(ctx SpecContext) {
		session := active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"), fixture.AsCopy())
		made := copied(ctx, session)
		hold(ctx, made, "example.com/kept")
		edit(ctx, session, fixture.End)
		reaches(ctx, session, v1alpha1.PhaseEnding)
		ahead.passes(2 * time.Minute)
		fires(ctx, "DebugSessionEndingStuck")
		Expect(firing(ctx)()).NotTo(ContainElement(named("DebugSessionOverdue")))
		hold(ctx, made)
	})

	It("fires of a session whose node does not answer at its end", func(ctx SpecContext) {
		pod := runningPod(ctx, namespace, "stuck")
		session := active(ctx, node, namespace, "hang", pod, fixture.TTL(10*time.Second))
		node.answers(errors.New("the node does not answer"))
		reaches(ctx, session, v1alpha1.PhaseEnding)
		ahead.passes(2 * time.Minute)
		fires(ctx, "DebugSessionOverdue")
		node.answers(nil)
		Eventually(phase(ctx, session)).WithTimeout(time.Minute).Should(Equal(v1alpha1.PhaseEnded))
	})

	It("fires of a session that nobody approves", func(ctx SpecContext) {
		session := create(ctx, namespace, "hang", fixture.Of(runningPod(ctx, namespace, "web").Name),
			of(ctx, func(c *v1alpha1.DebugClassSpec) { c.Approval = &v1alpha1.ApprovalPolicy{Required: 1} }))
		reaches(ctx, session, v1alpha1.PhaseAwaitingApproval)
		ahead.passes(11 * time.Minute)
		fires(ctx, "DebugSessionAwaitingApproval", "class", session.Spec.ClassName)
	})

	It("fires of an emergency that nobody reviews", func(ctx SpecContext) {
		session := active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"),
			of(ctx, func(c *v1alpha1.DebugClassSpec) {
				c.Approval = &v1alpha1.ApprovalPolicy{Required: 1, Emergency: &v1alpha1.EmergencyPolicy{
					ReviewWithin: metav1.Duration{Duration: time.Minute},
				}}
			}), func(s *v1alpha1.DebugSession) { s.Spec.Emergency = true })
		ahead.passes(2 * time.Minute)
		Expect(k8s.Patch(ctx, session, mergePatch(`{"metadata":{"labels":{"look":"again"}}}`))).To(Succeed()) // its timer knows nothing of that
		fires(ctx, "DebugSessionReviewOverdue", "class", session.Spec.ClassName)
	})

	It("is not all that there is: each question of the dashboard was answered with a number", func(ctx SpecContext) {
		pod := runningPod(ctx, namespace, "web")
		forbidden := create(ctx, namespace, "hang", fixture.Of(pod.Name), of(ctx, func(c *v1alpha1.DebugClassSpec) {
			c.PodSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"debug": "yes"}}
		}))
		endsAs(ctx, forbidden, v1alpha1.OutcomeRejected, v1alpha1.ReasonClassForbids)
		queries, err := alerts.Queries()
		Expect(err).NotTo(HaveOccurred())
		for _, expr := range queries {
			Eventually(func(g Gomega) {
				lines, err := scraper.QueryRange(ctx, expr, began, time.Now(), time.Second)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(slices.ContainsFunc(lines, func(line alerts.Line) bool {
					return slices.ContainsFunc(line.Points, func(p alerts.Point) bool { return !math.IsNaN(p.Value) })
				})).To(BeTrue())
			}).WithPolling(200*time.Millisecond).Should(Succeed(), expr)
		}
	})

	It("fires of an operator that is not there, and of one that does not lead", func(ctx SpecContext) {
		stop()
		fires(ctx, "DebugSessionOperatorDown")
		now := metav1.NowMicro()
		lease := &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Namespace: operator.DefaultNamespace, Name: "debugsession-operator"},
			Spec: coordinationv1.LeaseSpec{
				HolderIdentity: ptr.To("a replica that is gone"), LeaseDurationSeconds: ptr.To[int32](3600), AcquireTime: &now, RenewTime: &now,
			},
		}
		Expect(k8s.Create(ctx, lease)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, lease)).To(Succeed()) })
		launchOperator(node, environment.WebhookInstallOptions.LocalServingPort, serving, func(o *manager.Options, _ *operator.Options) {
			o.LeaderElection, o.LeaderElectionID, o.LeaderElectionNamespace = true, lease.Name, lease.Namespace
		})
		fires(ctx, "DebugSessionNoLeader")
		quiet(ctx, "DebugSessionOperatorDown")
	})

	It("is among those that have fired", func() {
		rules, err := alerts.Rules()
		Expect(err).NotTo(HaveOccurred())
		for _, group := range rules["groups"].([]any) {
			for _, rule := range group.(map[string]any)["rules"].([]any) {
				Expect(seen).To(HaveKey(rule.(map[string]any)["alert"]))
			}
		}
	})

	AfterEach(func(ctx SpecContext) { endAll(ctx, namespace) })
})

// aheadClock is a clock that goes as the machine's, ahead of it by what a spec has no time for.
type aheadClock struct {
	clock.RealClock
	by atomic.Int64
}

func (a *aheadClock) Now() time.Time { return a.RealClock.Now().Add(time.Duration(a.by.Load())) }

func (a *aheadClock) Since(t time.Time) time.Duration { return a.Now().Sub(t) }

func (a *aheadClock) passes(d time.Duration) { a.by.Add(int64(d)) }

// inUse is what this process uses of its memory limit right after its garbage was collected.
func inUse() int64 {
	runtime.GC()
	used := []runtimemetrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	runtimemetrics.Read(used)
	return int64(used[0].Value.Uint64() + used[1].Value.Uint64())
}

// endAll deletes the sessions of a namespace, and waits until they are gone.
func endAll(ctx context.Context, namespace string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		sessions := &v1alpha1.DebugSessionList{}
		g.Expect(k8s.List(ctx, sessions, client.InNamespace(namespace))).To(Succeed())
		for i := range sessions.Items {
			g.Expect(client.IgnoreNotFound(k8s.Delete(ctx, &sessions.Items[i]))).To(Succeed())
		}
		g.Expect(sessions.Items).To(BeEmpty())
	}).WithPolling(200 * time.Millisecond).Should(Succeed())
}

// scraping is a Prometheus that scrapes an operator, and has the alerts of config/prometheus as a test has time for them.
func scraping(address string, interval time.Duration) *alerts.Server {
	GinkgoHelper()
	rules, err := alerts.Rules()
	Expect(err).NotTo(HaveOccurred())
	server, err := alerts.Start(GinkgoT().TempDir(), interval, alerts.Hastened(rules), map[string]any{
		"job_name": "debugsession", "static_configs": []map[string]any{{"targets": []string{address}}},
	}, GinkgoWriter)
	if errors.Is(err, alerts.ErrNoPrometheus) && os.Getenv("CI") == "" {
		Skip(err.Error())
	}
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(server.Stop)
	Eventually(func() error {
		_, err := server.Query(context.Background(), "1")
		return err
	}).Should(Succeed())
	return server
}

// emptied is the registry that managers serve, from which what an operator has registered is taken away before the next one starts in
// this process.
type emptied struct {
	prometheus.Registerer
	added []prometheus.Collector
}

func (e *emptied) Register(c prometheus.Collector) error {
	e.added = append(e.added, c)
	return e.Registerer.Register(c)
}

func (e *emptied) empty() {
	for _, c := range e.added {
		e.Unregister(c)
	}
	e.added = nil
}

// withhold takes verbs on resources of its own namespace away from the operator, and returns what gives them back.
func withhold(ctx context.Context, resource, verb string) (give func(context.Context)) {
	GinkgoHelper()
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: operator.DefaultNamespace, Name: "debugsession-operator"}}
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(role), role)).To(Succeed())
	before := role.DeepCopy().Rules
	for i := range role.Rules {
		if slices.Contains(role.Rules[i].Resources, resource) {
			role.Rules[i].Verbs = slices.DeleteFunc(role.Rules[i].Verbs, func(v string) bool { return v == verb })
		}
	}
	Expect(k8s.Update(ctx, role)).To(Succeed())
	give = func(ctx context.Context) {
		GinkgoHelper()
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(role), role)).To(Succeed())
		role.Rules = before
		Expect(k8s.Update(ctx, role)).To(Succeed())
	}
	DeferCleanup(func(ctx SpecContext) { give(ctx) })
	Eventually(func() bool {
		return allowed(ctx, operatorName, operator.DefaultNamespace, "", resource, verb, certs.SecretName)
	}).Should(BeFalse())
	return give
}
