package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/operator"
	"debugsession.dev/operator/test/alerts"
	"debugsession.dev/operator/test/dashboard"
)

// The picture is of what a real Prometheus has collected of a real operator that people use. It is made by `make dashboard-picture`, and no
// test: where nobody asks for it, there is no such spec.
var _ = Describe("the picture of the dashboard", func() {
	file := os.Getenv("DASHBOARD_PICTURE")
	if file == "" {
		return
	}
	const pictured, scraped = 3 * time.Minute, 2 * time.Second

	It("is drawn", func(ctx SpecContext) {
		address := net.JoinHostPort("localhost", strconv.Itoa(freePort()))
		node, printed := &kubelet{}, newLogs()
		startOperator(node, storing(filepath.Join(GinkgoT().TempDir(), "audit")), printed.follows(),
			func(options *manager.Options, own *operator.Options) {
				options.Metrics, own.Registry = metricsserver.Options{BindAddress: address}, nil
			})
		scraper := scraping(address, scraped)
		began := time.Now().Truncate(scraped)
		team := newTeam(ctx, node, printed)
		team.works(ctx, began.Add(pictured))

		panels, err := alerts.Panels()
		Expect(err).NotTo(HaveOccurred())
		to := began.Add(pictured)
		var drawn []dashboard.Drawn
		for _, panel := range panels {
			answered := dashboard.Drawn{Panel: panel}
			for _, target := range panel.Targets {
				lines, err := scraper.QueryRange(ctx, target.Expr, began, to, pictured/150)
				Expect(err).NotTo(HaveOccurred())
				answered.Answers = append(answered.Answers, dashboard.Answer{Legend: target.LegendFormat, Lines: lines})
			}
			drawn = append(drawn, answered)
		}
		Expect(os.WriteFile(file, []byte(dashboard.SVG(drawn, began, to)), 0o644)).To(Succeed()) //nolint:gosec // a file of the repository
	})
})

// team is people who debug, approve, and are refused.
type team struct {
	namespace string
	node      *kubelet
	printed   *logs
	pager     *endpoint
	mallory   *person
	pods      []*corev1.Pod
	chance    *rand.Rand
	working   sync.WaitGroup
}

func newTeam(ctx context.Context, node *kubelet, printed *logs) *team {
	GinkgoHelper()
	t := &team{namespace: newNamespace(ctx, nil), node: node, printed: printed, pager: newEndpoint(), mallory: newPerson("mallory"),
		chance: rand.New(rand.NewPCG(1, 2))}
	newClass(ctx, "dev")
	newClass(ctx, "production", func(c *v1alpha1.DebugClass) {
		c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: 1, SelfApproval: true}
		c.Spec.Transcript = v1alpha1.TranscriptBestEffort
	})
	named := func(name string) func(*v1alpha1.DebugSink) {
		return func(s *v1alpha1.DebugSink) { s.Name, s.GenerateName = name, "" }
	}
	newSink(ctx, t.namespace, newEndpoint(), named("chat"))
	newSink(ctx, t.namespace, t.pager, named("pager"))
	mayEdit(ctx, t.namespace, "mallory")
	for i := range 6 {
		t.pods = append(t.pods, runningPod(ctx, t.namespace, fmt.Sprint("web-", i)))
	}
	return t
}

// works has them begin a session every few seconds until then. In the middle of it the pager does not answer for a while.
func (t *team) works(ctx context.Context, until time.Time) {
	length := time.Until(until)
	broken, repaired := until.Add(-length*6/10), until.Add(-length*4/10)
	for i := 0; time.Now().Before(until); i++ {
		switch now := time.Now(); {
		case now.After(repaired):
			t.pager.answers(nil)
		case now.After(broken):
			t.pager.answers(status(http.StatusServiceUnavailable))
		}
		session := t.asks(i)
		switch {
		case i%9 == 5:
			Expect(t.mallory.Create(ctx, session)).NotTo(Succeed())
		default:
			if k8s.Create(ctx, session) == nil { // a machine that has much else to do may let the webhooks time out
				t.goesOn(ctx, session, until)
			}
		}
		pause(ctx, t.between(2*time.Second, 5*time.Second))
	}
	t.working.Wait()
}

// asks is the session that is begun next.
func (t *team) asks(i int) *v1alpha1.DebugSession {
	pod := t.pods[i%len(t.pods)]
	session := asked(t.namespace, fmt.Sprint("hang-", i), fixture.Of(pod.Name), fixture.TTL(t.between(20*time.Second, 2*time.Minute).Truncate(time.Second)))
	session.Spec.ClassName, session.Spec.Reason = "dev", "INC-1234: requests hang"
	if i%3 == 1 {
		session.Spec.ClassName = "production"
	}
	if i%4 == 2 {
		fixture.AsCopy()(session)
	}
	if i%11 == 7 {
		session.Spec.Target.Container = "ap"
	}
	return session
}

// goesOn has a session be approved if it must be, run, print, and end: at its time, by its user, or by itself.
func (t *team) goesOn(ctx context.Context, session *v1alpha1.DebugSession, until time.Time) {
	approved, started, lasts, end := t.between(5*time.Second, 40*time.Second), t.between(200*time.Millisecond, 3*time.Second),
		t.between(15*time.Second, time.Minute), t.chance.IntN(10)
	t.working.Go(func() {
		defer GinkgoRecover()
		if !t.comesTo(ctx, session, until, v1alpha1.PhaseStarting, v1alpha1.PhaseAwaitingApproval) {
			return
		}
		if session.Status.Phase == v1alpha1.PhaseAwaitingApproval {
			pause(ctx, approved)
			if k8s.Create(ctx, newApproval(t.namespace, "yes-"+session.Name, session.Name)) != nil {
				return
			}
		}
		if !t.comesTo(ctx, session, until, v1alpha1.PhaseStarting) {
			return
		}
		pause(ctx, started)
		pod := &corev1.Pod{}
		pod.Namespace, pod.Name = t.namespace, session.Spec.Target.PodName
		if session.Spec.Mode == v1alpha1.ModePodCopy {
			pod = copied(ctx, session)
		} else {
			injected(ctx, session, pod)
		}
		debugger := session.Status.Debugger.ContainerName
		Expect(t.node.set(ctx, pod, debugger, running())).To(Succeed())
		ends := time.Now().Add(lasts)
		for time.Now().Before(ends) {
			t.printed.prints(session, "/ # ls\r\n")
			pause(ctx, 7*time.Second)
		}
		switch {
		case end < 3:
			edit(ctx, session, fixture.End)
		case end < 6:
			Expect(client.IgnoreNotFound(t.node.set(ctx, pod, debugger, exited(0, "Completed", "")))).To(Succeed())
		case end < 7:
			Expect(client.IgnoreNotFound(t.node.set(ctx, pod, debugger, exited(137, "OOMKilled", "")))).To(Succeed())
		}
		t.comesTo(ctx, session, until, v1alpha1.PhaseEnding, v1alpha1.PhaseEnded)
		t.printed.ends(session)
	})
}

// comesTo waits until a session is in one of the phases, and reports whether it is before it has ended and before the picture is made.
func (t *team) comesTo(ctx context.Context, session *v1alpha1.DebugSession, until time.Time, phases ...v1alpha1.Phase) bool {
	for time.Now().Before(until) {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(session), session); err != nil {
			return false
		}
		for _, phase := range phases {
			if session.Status.Phase == phase {
				return true
			}
		}
		if session.Status.Phase == v1alpha1.PhaseEnded {
			return false
		}
		pause(ctx, 300*time.Millisecond)
	}
	return false
}

// between is some time from one to another, the same in each run.
func (t *team) between(least, most time.Duration) time.Duration {
	return least + time.Duration(t.chance.Int64N(int64(most-least)))
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
