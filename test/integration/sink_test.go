package integration

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/operator"
)

// whole is what a sink is told of a session that is approved, runs and is ended.
var whole = []v1alpha1.NotificationType{
	v1alpha1.NotifyAwaitingApproval, v1alpha1.NotifyApproved, v1alpha1.NotifyActive, v1alpha1.NotifyEnded,
}

var _ = Describe("a sink", func() {
	var namespace, class string
	var stop func()
	var registry *prometheus.Registry
	node := &kubelet{}

	start := func() {
		GinkgoHelper()
		registry = prometheus.NewRegistry()
		stop = startOperator(node, measuring(registry))
	}
	BeforeEach(func(ctx SpecContext) {
		start() // of which some specs have another start in its place
		createAnything(ctx)
		namespace = newNamespace(ctx, nil)
		class = newClass(ctx, "of-"+namespace, func(c *v1alpha1.DebugClass) {
			c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 1, SelfApproval: true}
		}).Name
	})

	ask := func(ctx context.Context, name string, options ...fixture.SessionOption) *v1alpha1.DebugSession {
		GinkgoHelper()
		session := asked(namespace, name, append([]fixture.SessionOption{fixture.Of("web"), fixture.TTL(time.Hour)}, options...)...)
		session.Spec.ClassName, session.Spec.Reason = class, "INC-1234: requests hang"
		Expect(k8s.Create(ctx, session)).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseAwaitingApproval)
		return session
	}
	approve := func(ctx context.Context, session *v1alpha1.DebugSession) {
		GinkgoHelper()
		Expect(k8s.Create(ctx, newApproval(namespace, "yes-"+session.Name, session.Name))).To(Succeed())
	}
	run := func(ctx context.Context, session *v1alpha1.DebugSession) {
		GinkgoHelper()
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"}}
		injected(ctx, session, pod)
		Expect(node.set(ctx, pod, session.Status.Debugger.ContainerName, running())).To(Succeed())
		reaches(ctx, session, v1alpha1.PhaseActive)
	}
	end := func(ctx context.Context, session *v1alpha1.DebugSession) {
		GinkgoHelper()
		edit(ctx, session, fixture.End)
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
	}
	all := func(ctx context.Context, session *v1alpha1.DebugSession) {
		GinkgoHelper()
		approve(ctx, session)
		run(ctx, session)
		end(ctx, session)
	}
	// remembered waits until the session says that the sink was told of its end.
	remembered := func(ctx context.Context, session *v1alpha1.DebugSession, sink *v1alpha1.DebugSink) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Notifications).
				To(ContainElement(And(HaveField("Sink", sink.Name), HaveField("Sent", ContainElement("Ended")))))
		}).Should(Succeed())
	}

	It("hears of a session from its request to its end, once and in order, and how it is approved", func(ctx SpecContext) {
		to := newEndpoint()
		sink := newSink(ctx, namespace, to, func(s *v1alpha1.DebugSink) { s.Spec.Cluster = "eu-1" })
		runningPod(ctx, namespace, "web")
		session := ask(ctx, "hang")
		Eventually(to.types("hang")).Should(HaveLen(1))
		event := to.events("hang")[0]
		Expect(event.Type).To(Equal("dev.debugsession.session.awaiting-approval.v1"))
		Expect(event.Source).To(Equal("/debugsession.dev/eu-1"))
		Expect(event.Subject).To(Equal("namespaces/" + namespace + "/debugsessions/hang"))
		Expect(event.Data.Text).To(And(ContainSubstring(session.Spec.Requester.Username),
			ContainSubstring("pod web (container app) in namespace "+namespace),
			ContainSubstring("INC-1234: requests hang"), ContainSubstring("for 1h"), HaveSuffix("kubectl dbg approve hang -n "+namespace)))
		Expect(event.Data.Approve.Kubectl).To(ContainSubstring(session.Status.Request.Hash))

		all(ctx, session)
		Eventually(to.types("hang")).Should(Equal(whole))
		remembered(ctx, session, sink)
		Eventually(condition(ctx, sink, v1alpha1.ConditionDelivering)).Should(HaveField("Status", metav1.ConditionTrue))
		Expect(measured(registry, "debugsession_sink_messages_total", "sink", sink.Name, "result", "delivered")()).To(BeEquivalentTo(4))

		so, before := askedSoFar(), to.tried()
		look(ctx, session, 100)
		Expect(askedSince(so, namespace)).To(BeEmpty(), "a settled session costs nothing")
		Expect(to.tried()).To(Equal(before))
	})

	It("hears what it is to hear, and nothing else", func(ctx SpecContext) {
		some, other, elsewhere := newEndpoint(), newEndpoint(), newEndpoint()
		newSink(ctx, namespace, some, func(s *v1alpha1.DebugSink) {
			s.Spec.Types = []v1alpha1.NotificationType{v1alpha1.NotifyDenied, v1alpha1.NotifyEnded}
		})
		newSink(ctx, namespace, other, func(s *v1alpha1.DebugSink) { s.Spec.Classes = []string{"other"} })
		newSink(ctx, "elsewhere", elsewhere)
		runningPod(ctx, namespace, "web")
		session := ask(ctx, "hang")
		no := newApproval(namespace, "no", "hang")
		no.Spec.Decision = v1alpha1.DecisionDeny
		Expect(k8s.Create(ctx, no)).To(Succeed())
		endsAs(ctx, session, v1alpha1.OutcomeDenied, string(v1alpha1.OutcomeDenied))
		Eventually(some.types("hang")).Should(Equal([]v1alpha1.NotificationType{v1alpha1.NotifyDenied, v1alpha1.NotifyEnded}))
		Expect(some.events("hang")[0].Data.Session.DeniedBy).NotTo(BeEmpty())
		Expect(other.tried() + elsewhere.tried()).To(BeZero())
	})

	It("that is new hears of what waits, and of nothing that is over", func(ctx SpecContext) {
		runningPod(ctx, namespace, "web")
		waiting, over := ask(ctx, "waiting"), ask(ctx, "over")
		all(ctx, over)
		Eventually(func() bool { return time.Since(over.Status.EndedAt.Time) > 2*time.Second }).Should(BeTrue())
		to := newEndpoint()
		newSink(ctx, namespace, to)
		Eventually(to.types("waiting")).Should(HaveLen(1))
		all(ctx, waiting)
		Eventually(to.types("waiting")).Should(Equal(whole))
		Expect(to.types("over")()).To(BeEmpty())
	})

	It("hears that a session is about to end, again when it ends later, and of approval for that", func(ctx SpecContext) {
		to := newEndpoint()
		newSink(ctx, namespace, to)
		runningPod(ctx, namespace, "web")
		session := ask(ctx, "hang", fixture.TTL(5*time.Minute+4*time.Second))
		approve(ctx, session)
		run(ctx, session)
		Eventually(to.types("hang")).Should(
			HaveExactElements(v1alpha1.NotifyAwaitingApproval, v1alpha1.NotifyApproved, v1alpha1.NotifyActive, v1alpha1.NotifyAboutToEnd))
		edit(ctx, session, fixture.TTL(5*time.Minute+12*time.Second))
		Eventually(to.types("hang")).Should(HaveLen(5))
		again := to.events("hang")[4].Data
		Expect(again.Type).To(Equal(v1alpha1.NotifyAwaitingApproval))
		Expect(again.Approve.Command).To(And(ContainSubstring(`"ttl":"5m12s"`), HaveSuffix("| kubectl create -f -")))
		Expect(k8s.Create(ctx, newApproval(namespace, "longer", "hang"))).To(Succeed())
		Eventually(to.types("hang")).Should(HaveExactElements(
			v1alpha1.NotifyAwaitingApproval, v1alpha1.NotifyApproved, v1alpha1.NotifyActive, v1alpha1.NotifyAboutToEnd,
			v1alpha1.NotifyAwaitingApproval, v1alpha1.NotifyApproved, v1alpha1.NotifyAboutToEnd))
		end(ctx, session)
	})

	It("hears of the end of a session that is deleted", func(ctx SpecContext) {
		to := newEndpoint()
		newSink(ctx, namespace, to)
		runningPod(ctx, namespace, "web")
		session := ask(ctx, "hang")
		Eventually(to.types("hang")).Should(HaveLen(1))
		to.answers(status(http.StatusInternalServerError))
		Expect(k8s.Delete(ctx, session)).To(Succeed())
		isGone(ctx, session)
		to.answers(nil)
		Eventually(to.types("hang")).Should(HaveExactElements(v1alpha1.NotifyAwaitingApproval, v1alpha1.NotifyEnded))
		Expect(to.events("hang")[1].Data.Session.Outcome).To(Equal(v1alpha1.OutcomeTerminated))
	})

	DescribeTable("that is dead for a while hears of all of it when it is back, in order, also from an operator that was restarted",
		func(ctx SpecContext, says string, answer http.HandlerFunc) {
			to := newEndpoint()
			to.answers(answer)
			sink := newSink(ctx, namespace, to)
			served(ctx, sink)
			runningPod(ctx, namespace, "web")
			session := ask(ctx, "hang")
			Eventually(condition(ctx, sink, v1alpha1.ConditionDelivering)).Should(And(HaveField("Status", metav1.ConditionFalse),
				HaveField("Reason", v1alpha1.ReasonNotDelivered), HaveField("Message", ContainSubstring(says))))
			Expect(measured(registry, "debugsession_sink_dead", "sink", sink.Name)()).To(BeEquivalentTo(1))
			all(ctx, session)

			stop()
			to.answers(nil)
			start()
			Eventually(to.types("hang")).Should(Equal(whole))
			remembered(ctx, session, sink)
			Eventually(condition(ctx, sink, v1alpha1.ConditionDelivering)).Should(HaveField("Status", metav1.ConditionTrue))
			Expect(measured(registry, "debugsession_sink_dead", "sink", sink.Name)()).To(BeZero())
			Eventually(func(g Gomega) {
				made := &eventsv1.EventList{}
				g.Expect(k8s.List(ctx, made, client.InNamespace(metav1.NamespaceDefault))).To(Succeed())
				about := HaveField("Regarding.Name", sink.Name)
				g.Expect(made.Items).To(ContainElement(
					And(about, HaveField("Reason", v1alpha1.ReasonNotDelivered), HaveField("Type", corev1.EventTypeWarning))))
				g.Expect(made.Items).To(ContainElement(And(about, HaveField("Reason", v1alpha1.ReasonDelivering))))
			}).Should(Succeed())

			stop() // and what was told is not told again
			start()
			Consistently(to.types("hang")).WithTimeout(500 * time.Millisecond).Should(Equal(whole))
		},
		Entry("answering 500", "500", status(http.StatusInternalServerError)),
		Entry("refusing what it gets", "400", status(http.StatusBadRequest)),
		Entry("hanging", "it cannot be reached", http.HandlerFunc(hangs)),
		Entry("redirecting",
			"redirect 302, which is not followed", http.RedirectHandler("http://169.254.169.254/", http.StatusFound).ServeHTTP),
		Entry("cutting the connection", "it cannot be reached", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
	)

	It("is told again, by the same ID, what the operator does not know that it has heard", func(ctx SpecContext) {
		to := newEndpoint()
		sink := newSink(ctx, namespace, to)
		served(ctx, sink)
		session := create(ctx, namespace, "hang", fixture.Of("nobody"))
		reaches(ctx, session, v1alpha1.PhasePending)
		to.hearsBut(hangs)
		edit(ctx, session, fixture.End)
		Eventually(to.types("hang")).Should(HaveLen(1))
		stop() // before there is an answer
		to.answers(nil)
		start()
		Eventually(to.types("hang")).Should(HaveExactElements(v1alpha1.NotifyEnded, v1alpha1.NotifyEnded))
		remembered(ctx, session, sink)
		for _, event := range to.events("hang") {
			Expect(event.ID).To(Equal(string(session.UID) + "/Ended"))
		}
	})

	It("that hangs, answers 500, drops connections and comes back hears of all of it, in order, and no other sink "+
		"waits for that", func(ctx SpecContext) {
		sick, well := newEndpoint(), newEndpoint()
		sick.answers(hangs)
		sink, healthy := newSink(ctx, namespace, sick), newSink(ctx, namespace, well)
		served(ctx, sink)
		served(ctx, healthy)
		runningPod(ctx, namespace, "web")
		var sessions []*v1alpha1.DebugSession
		during := func(says string) {
			GinkgoHelper()
			session := ask(ctx, fmt.Sprint("hang-", len(sessions)))
			sessions = append(sessions, session)
			all(ctx, session)
			Eventually(well.types(session.Name)).WithTimeout(5 * time.Second).Should(Equal(whole))
			Eventually(condition(ctx, sink, v1alpha1.ConditionDelivering)).Should(And(HaveField("Status", metav1.ConditionFalse),
				HaveField("Reason", v1alpha1.ReasonNotDelivered), HaveField("Message", ContainSubstring(says))))
			Expect(measured(registry, "debugsession_sink_dead", "sink", sink.Name)()).To(BeEquivalentTo(1))
			Expect(measured(registry, "debugsession_sink_dead", "sink", healthy.Name)()).To(BeZero())
			Expect(sick.posts()).To(BeEmpty())
		}
		during("it cannot be reached")
		sick.answers(status(http.StatusInternalServerError))
		so := sick.tried()
		Eventually(sick.tried).WithTimeout(time.Minute).Should(BeNumerically(">", so), "it is tried again, more and more seldom")
		stop()
		start()
		during("500")
		sick.answers(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		so = sick.tried()
		Eventually(sick.tried).WithTimeout(time.Minute).Should(BeNumerically(">", so))
		during("500") // the first that it said

		sick.answers(nil)
		for _, session := range sessions {
			Eventually(sick.types(session.Name)).WithTimeout(90 * time.Second).Should(Equal(whole))
			remembered(ctx, session, sink)
			Expect(well.types(session.Name)()).To(Equal(whole))
		}
		Eventually(condition(ctx, sink, v1alpha1.ConditionDelivering)).Should(HaveField("Status", metav1.ConditionTrue))
		Expect(measured(registry, "debugsession_sink_dead", "sink", sink.Name)()).To(BeZero())
		Eventually(func(g Gomega) {
			made := &eventsv1.EventList{}
			g.Expect(k8s.List(ctx, made, client.InNamespace(metav1.NamespaceDefault))).To(Succeed())
			g.Expect(made.Items).
				To(ContainElement(And(HaveField("Regarding.Name", sink.Name), HaveField("Reason", v1alpha1.ReasonNotDelivered))))
			g.Expect(made.Items).
				To(ContainElement(And(HaveField("Regarding.Name", sink.Name), HaveField("Reason", v1alpha1.ReasonDelivering))))
			g.Expect(made.Items).
				NotTo(ContainElement(And(HaveField("Regarding.Name", healthy.Name), HaveField("Reason", v1alpha1.ReasonNotDelivered))))
		}).Should(Succeed())
	})

	It("that hangs holds up neither sessions nor other sinks", func(ctx SpecContext) {
		dead, alive := newEndpoint(), newEndpoint()
		dead.answers(hangs)
		slow := func(s *v1alpha1.DebugSink) { s.Spec.Timeout = &metav1.Duration{Duration: 30 * time.Second} }
		served(ctx, newSink(ctx, namespace, dead, slow))
		sink := newSink(ctx, namespace, alive)
		served(ctx, sink)
		runningPod(ctx, namespace, "web")
		sessions := make([]*v1alpha1.DebugSession, 8)
		for i := range sessions {
			sessions[i] = ask(ctx, fmt.Sprint("hang-", i))
		}
		for _, session := range sessions {
			all(ctx, session)
			Expect(time.Since(session.Status.EndedAt.Time)).To(BeNumerically("<", 10*time.Second))
			Eventually(alive.types(session.Name)).Should(Equal(whole))
		}
		Expect(dead.tried()).To(BeNumerically("<=", 4), "so many at once, and no more")
	})

	It("is posted what its template makes, with its headers, signed", func(ctx SpecContext) {
		const key = "0123456789abcdef0123456789abcdef"
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: operator.DefaultNamespace, Name: v1alpha1.SinkSecretName},
			StringData: map[string]string{"token": "Bearer t", "sign": key},
		}
		to := newEndpoint()
		sink := newSink(ctx, namespace, to, func(s *v1alpha1.DebugSink) {
			s.Spec.URL, s.Spec.URLKey = "", "address"
			s.Spec.Headers = []v1alpha1.SinkHeader{{Name: "Authorization", ValueKey: "token"}, {Name: "X-Team", Value: "sre"}}
			s.Spec.SignatureKey = "sign"
			s.Spec.Template = &v1alpha1.SinkTemplate{
				Body: `{"text": {{ json .Text }}{{ with .Approve }}, "run": {{ json .Command }}{{ end }}}`,
			}
		})
		Eventually(condition(ctx, sink, v1alpha1.ConditionReady)).Should(And(HaveField("Reason", v1alpha1.ReasonSecretNotFound),
			HaveField("Message", ContainSubstring("secret debugsession-system/debugsession-sinks does not exist"))))
		secret.StringData["address"] = to.URL + "/services/T0/B0/secret"
		Expect(k8s.Create(ctx, secret)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(k8s.Delete(ctx, secret)).To(Succeed()) })
		Expect(k8s.Patch(ctx, sink, mergePatch(`{"spec":{"cluster":"eu-1"}}`))).To(Succeed())
		served(ctx, sink)
		runningPod(ctx, namespace, "web")
		ask(ctx, "hang")
		Eventually(to.posts).Should(HaveLen(1))
		post := to.posts()[0]
		Expect(post.body).
			To(MatchJSON(fmt.Sprintf(`{"text": %q, "run": %q}`, textOf(ctx, namespace), "kubectl dbg approve hang -n "+namespace)))
		Expect(post.header.Get("Authorization")).To(Equal("Bearer t"))
		Expect(post.header.Get("X-Team")).To(Equal("sre"))
		mac := hmac.New(sha256.New, []byte(key))
		_, _ = fmt.Fprintf(mac, "%s.%s.%s", post.header.Get("webhook-id"), post.header.Get("webhook-timestamp"), post.body)
		Expect(post.header.Get("webhook-signature")).To(Equal("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))))
		at, err := strconv.ParseInt(post.header.Get("webhook-timestamp"), 10, 64)
		Expect(err).NotTo(HaveOccurred())
		Expect(time.Unix(at, 0)).To(BeTemporally("~", time.Now(), 10*time.Second))

		to.Close()
		session := create(ctx, namespace, "other", fixture.Of("nobody"))
		edit(ctx, session, fixture.End)
		Eventually(condition(ctx, sink, v1alpha1.ConditionDelivering)).Should(And(HaveField("Status", metav1.ConditionFalse),
			HaveField("Message", Not(ContainSubstring("services/T0")))))
	})

	It("gets binary CloudEvents if it asks for them", func(ctx SpecContext) {
		to := newEndpoint()
		newSink(ctx, namespace, to, func(s *v1alpha1.DebugSink) { s.Spec.CloudEvents = v1alpha1.CloudEventsBinary })
		runningPod(ctx, namespace, "web")
		session := ask(ctx, "hang")
		Eventually(to.posts).Should(HaveLen(1))
		header := to.posts()[0].header
		Expect(header.Get("ce-type")).To(Equal("dev.debugsession.session.awaiting-approval.v1"))
		Expect(header.Get("ce-specversion")).To(Equal("1.0"))
		Expect(header.Get("ce-id")).To(HavePrefix(string(session.UID) + "/AwaitingApproval/"))
		Expect(header.Get("Content-Type")).To(Equal("application/json"))
	})

	It("says what is wrong with it, and is told when it is right", func(ctx SpecContext) {
		to := newEndpoint()
		sink := newSink(ctx, namespace, to, func(s *v1alpha1.DebugSink) {
			s.Spec.Template = &v1alpha1.SinkTemplate{Body: `{"text": {{ .Nothing }}}`}
		})
		Eventually(condition(ctx, sink, v1alpha1.ConditionReady)).Should(And(HaveField("Status", metav1.ConditionFalse),
			HaveField("Reason", v1alpha1.ReasonInvalid), HaveField("Message", ContainSubstring("can't evaluate field Nothing"))))
		runningPod(ctx, namespace, "web")
		ask(ctx, "hang")
		Expect(k8s.Patch(ctx, sink, mergePatch(`{"spec":{"template":{"body":"{\"text\": {{ json .Title }}}"}}}`))).To(Succeed())
		Eventually(to.posts).Should(HaveLen(1))
	})
})

var _ = Describe("a sink as it is written", func() {
	DescribeTable("is refused by the API server",
		func(ctx SpecContext, says string, change func(*v1alpha1.DebugSinkSpec)) {
			sink := &v1alpha1.DebugSink{
				ObjectMeta: metav1.ObjectMeta{GenerateName: "sink-"},
				Spec:       v1alpha1.DebugSinkSpec{URL: "https://example.com/hook"},
			}
			Expect(k8s.Create(ctx, sink.DeepCopy(), client.DryRunAll)).To(Succeed())
			change(&sink.Spec)
			Expect(k8s.Create(ctx, sink, client.DryRunAll)).To(MatchError(ContainSubstring(says)))
		},
		Entry("with http", "url must begin with https://", func(s *v1alpha1.DebugSinkSpec) { s.URL = "http://example.com" }),
		Entry("with another scheme", "url must be an http:// or https:// address", func(s *v1alpha1.DebugSinkSpec) {
			s.URL, s.AllowHTTP = "file:///etc/passwd", true
		}),
		Entry("with a password in its address", "without a user and a password", func(s *v1alpha1.DebugSinkSpec) {
			s.URL = "https://a:b@example.com"
		}),
		Entry("without an address", "exactly one of url, and urlKey", func(s *v1alpha1.DebugSinkSpec) { s.URL = "" }),
		Entry("with a template and a mode", "a template replaces the CloudEvent", func(s *v1alpha1.DebugSinkSpec) {
			s.CloudEvents, s.Template = v1alpha1.CloudEventsBinary, &v1alpha1.SinkTemplate{Body: "x"}
		}),
		Entry("with a header that is the operator's", "this header is set by the operator", func(s *v1alpha1.DebugSinkSpec) {
			s.Headers = []v1alpha1.SinkHeader{{Name: "CE-Type", Value: "x"}}
		}),
		Entry("with a header without a value", "exactly one of value and valueKey", func(s *v1alpha1.DebugSinkSpec) {
			s.Headers = []v1alpha1.SinkHeader{{Name: "X-A"}}
		}),
		Entry("with a line break in a header", "should match", func(s *v1alpha1.DebugSinkSpec) {
			s.Headers = []v1alpha1.SinkHeader{{Name: "X-A", Value: "a\r\nb"}}
		}),
		Entry("with a type that is none", "Unsupported value", func(s *v1alpha1.DebugSinkSpec) {
			s.Types = []v1alpha1.NotificationType{"Started"}
		}),
		Entry("with a timeout that is too long", "from 1s to 30s", func(s *v1alpha1.DebugSinkSpec) {
			s.Timeout = &metav1.Duration{Duration: time.Minute}
		}),
	)
})

// textOf is what the session that waits in a namespace is told as.
func textOf(ctx context.Context, namespace string) string {
	GinkgoHelper()
	session := &v1alpha1.DebugSession{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "hang"}}
	refreshed(ctx, Default, session)
	return fmt.Sprintf("Session %s/hang is waiting for %s. %s asks to debug pod web (container app) in namespace %s for 1h (class %s, "+
		"mode EphemeralContainer, profile general, image %s). "+
		"Reason: INC-1234: requests hang. To review and approve it: kubectl dbg approve hang -n %s",
		namespace, session.Status.WaitingFor, session.Spec.Requester.Username, namespace, session.Spec.ClassName,
		session.Status.Class.Image, namespace)
}
