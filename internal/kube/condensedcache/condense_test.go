package condensedcache

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	testclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/index"
	"debugsession.dev/operator/internal/metrics"
	"debugsession.dev/operator/internal/plan"
)

func nothingPending(*v1alpha1.DebugSession) bool { return false }

// rests is a session as the API server returns it when it has ended and rests. The strings are its own, as decoded ones are.
func rests(changes ...fixture.SessionOption) *v1alpha1.DebugSession {
	at := metav1.NewTime(fixture.Created.Add(time.Hour))
	session := fixture.Session(func(s *v1alpha1.DebugSession) {
		s.ResourceVersion = "4711"
		s.Annotations = map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}"}
		s.Labels = map[string]string{"team": "shop"}
		s.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl", Operation: metav1.ManagedFieldsOperationApply}}
		s.Spec.Reason = "INC-1234"
		s.Status = v1alpha1.DebugSessionStatus{
			ObservedGeneration: s.Generation, Phase: v1alpha1.PhaseEnded, Reason: "Expired", Outcome: v1alpha1.OutcomeExpired,
			Conditions: []metav1.Condition{{Type: v1alpha1.ConditionEnded, Status: metav1.ConditionTrue, Reason: "Expired", Message: "it expired"}},
			StartedAt:  ptr.To(metav1.NewTime(fixture.Created)), ExpiresAt: &at, EndedAt: &at, RequesterVerifiedAt: &at,
			Class:    &v1alpha1.ClassStatus{Name: fixture.ClassName, Image: "busybox:1.36", Retention: &v1alpha1.Duration{Duration: 24 * time.Hour}},
			Target:   &v1alpha1.TargetStatus{PodName: "web", PodUID: "1"},
			Debugger: &v1alpha1.DebuggerStatus{PodName: "web", ContainerName: "debugger-1", Output: "$ ps"},
		}
	})
	for _, change := range changes {
		change(session)
	}
	return session
}

func forEver(s *v1alpha1.DebugSession)   { s.Status.Class.Retention = nil }
func classless(s *v1alpha1.DebugSession) { s.Status.Class = nil }
func ofFlux(s *v1alpha1.DebugSession) {
	s.Labels["kustomize.toolkit.fluxcd.io/name"] = "debug"
}
func heldByOthers(s *v1alpha1.DebugSession) {
	fixture.Deleted(s)
	s.Finalizers = []string{"example.com/hold"}
}

func approved(s *v1alpha1.DebugSession) {
	s.Status.Request = &v1alpha1.RequestStatus{Hash: "sha256:1", Since: metav1.NewTime(fixture.Created)}
	s.Status.Class.ApprovalTimeout = &v1alpha1.Duration{Duration: time.Minute}
	s.Status.Approvals = []v1alpha1.ApprovalStatus{{Name: "yes", By: "bob", At: metav1.NewTime(fixture.Created), Decision: v1alpha1.DecisionApprove}}
}

func unstarted(s *v1alpha1.DebugSession)    { s.Status.StartedAt = nil }
func selfApproval(s *v1alpha1.DebugSession) { s.Status.Class.SelfApproval = true }

func reviewed(s *v1alpha1.DebugSession) {
	s.Status.Review = &v1alpha1.ReviewStatus{Since: metav1.NewTime(fixture.Created), Decision: v1alpha1.DecisionApprove, At: s.Status.EndedAt}
}

func resting() map[string]*v1alpha1.DebugSession {
	return map[string]*v1alpha1.DebugSession{
		"of a class that keeps it for a day": rests(), "kept for ever": rests(forEver), "without a class": rests(classless),
		"of Flux": rests(ofFlux), "a copy": rests(fixture.AsCopy()), "deleted and held by others": rests(heldByOthers),
		"approved": rests(approved), "approved, and never started": rests(approved, unstarted), "approved by oneself": rests(approved, selfApproval),
		"reviewed": rests(reviewed),
	}
}

// What each reader of cached sessions finds in a condensed copy is what it finds in the session. The recorder and the notifier find in it that
// they have nothing to do; the transcriber, that there is no transcript to make.
func TestReadersFindTheSame(t *testing.T) {
	for name, session := range resting() {
		t.Run(name, func(t *testing.T) {
			object, err := Transform(nothingPending)(session.DeepCopy())
			if err != nil {
				t.Fatal(err)
			}
			condensed := object.(*v1alpha1.DebugSession)
			if !plan.Condensed(condensed) || plan.Condensed(session) {
				t.Fatalf("condensed %t, and of the session %t", plan.Condensed(condensed), plan.Condensed(session))
			}
			for reader, read := range readers {
				if diff := cmp.Diff(read(t, session), read(t, condensed)); diff != "" {
					t.Errorf("%s (-session +copy):\n%s", reader, diff)
				}
			}
		})
	}
}

// readers are the readers of cached sessions, by where they are.
var readers = map[string]func(*testing.T, *v1alpha1.DebugSession) any{
	"controllers/debugsession: the plan": planned,
	"internal/index":                     indexed,
	"internal/metrics":                   counted,
	"controllers/debugapproval":          judged,
	"controllers/debugclass": func(_ *testing.T, s *v1alpha1.DebugSession) any {
		return []any{s.Spec.ClassName, s.Status.Phase, s.Status.AwaitsReview(), s.Status.ReviewOverdue()}
	},
	"the client's preconditions, and what a watch compares": func(_ *testing.T, s *v1alpha1.DebugSession) any {
		return []any{s.Namespace, s.Name, s.UID, s.ResourceVersion, s.Generation, s.CreationTimestamp, s.DeletionTimestamp, s.Finalizers}
	},
	"internal/transcriber": func(_ *testing.T, s *v1alpha1.DebugSession) any { return s.Status.LeavesTranscript() },
}

// planned is what is decided at several times, and whether any of it is a write of the status.
func planned(t *testing.T, s *v1alpha1.DebugSession) any {
	t.Helper()
	type decided struct {
		Actions []plan.Action
		Wake    time.Time
		Writes  bool
	}
	var all []decided
	for _, after := range []time.Duration{0, 2 * time.Hour, 48 * time.Hour, 365 * 24 * time.Hour} {
		_, p, err := plan.Run(plan.Snapshot{Session: s, Now: fixture.Created.Add(after)}, func(snapshot *plan.Snapshot, q plan.Question) error {
			if read, ok := q.(plan.ReadClass); !ok || read.Name != fixture.ClassName {
				return fmt.Errorf("asks %#v", q)
			}
			snapshot.Class = plan.Absent[*v1alpha1.DebugClass]()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, decided{p.Actions, p.WakeAt, cmp.Diff(s.Status, p.Status) != ""})
		if all[len(all)-1].Writes {
			t.Error("a session that rests is written")
		}
	}
	return all
}

// indexer notes what the indexes make of an object.
type indexer struct {
	of   client.Object
	seen map[string][]string
}

func (i *indexer) IndexField(_ context.Context, object client.Object, field string, extract client.IndexerFunc) error {
	if _, ok := object.(*v1alpha1.DebugSession); ok {
		i.seen[field] = extract(i.of)
	}
	return nil
}

func indexed(t *testing.T, s *v1alpha1.DebugSession) any {
	t.Helper()
	i := &indexer{s, map[string][]string{}}
	if err := index.Add(t.Context(), i); err != nil || len(i.seen) == 0 {
		t.Fatal(i.seen, err)
	}
	return i.seen
}

func counted(t *testing.T, s *v1alpha1.DebugSession) any {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics.New(func() ([]*v1alpha1.DebugSession, error) { return []*v1alpha1.DebugSession{s}, nil },
		func() int { return 0 }, testclock.NewFakePassiveClock(fixture.Created.Add(48*time.Hour))))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var gauges []string // what is counted of sessions
	for _, family := range families {
		if family.GetType() == dto.MetricType_GAUGE {
			gauges = append(gauges, family.String())
		}
	}
	return gauges
}

// judged is what becomes of approvals of the session: of one for what it asked, for something else, and of the requester's own.
func judged(_ *testing.T, s *v1alpha1.DebugSession) any {
	var verdicts []approval.Verdict
	for _, given := range []struct {
		hash, by string
		after    time.Duration
	}{{"sha256:1", "bob", 0}, {"sha256:2", "bob", 0}, {"sha256:1", fixture.Requester, 0}, {"sha256:1", "bob", time.Hour}} {
		a := &v1alpha1.DebugApproval{
			ObjectMeta: metav1.ObjectMeta{Name: "yes", CreationTimestamp: metav1.NewTime(fixture.Created.Add(given.after))},
			Spec: v1alpha1.DebugApprovalSpec{SessionName: s.Name, SessionUID: s.UID, RequestHash: given.hash, Decision: v1alpha1.DecisionApprove,
				Approver: &v1alpha1.Identity{Username: given.by}},
		}
		verdicts = append(verdicts, approval.Evaluate(approval.Approval{DebugApproval: a, Sealed: true}, s))
	}
	return []any{verdicts, s.Status.Approvals}
}

// A session of which anything is left to do is cached whole, without its managed fields, whatever it looks like.
func TestWhatDoesNotRestIsWhole(t *testing.T) {
	for name, session := range map[string]*v1alpha1.DebugSession{
		"active":                      rests(func(s *v1alpha1.DebugSession) { s.Status.Phase = v1alpha1.PhaseActive }),
		"ending, with all of its end": rests(func(s *v1alpha1.DebugSession) { s.Status.Phase = v1alpha1.PhaseEnding }),
		"of no phase":                 rests(func(s *v1alpha1.DebugSession) { s.Status.Phase = "" }),
		"called Ended, at no time":    rests(func(s *v1alpha1.DebugSession) { s.Status.EndedAt = nil }),
		"edited since":                rests(func(s *v1alpha1.DebugSession) { s.Generation++ }),
		"with the finalizer":          rests(func(s *v1alpha1.DebugSession) { s.Finalizers = []string{v1alpha1.Finalizer} }),
		"with it, and being deleted":  rests(fixture.Deleted, func(s *v1alpha1.DebugSession) { s.Finalizers = []string{"a", v1alpha1.Finalizer} }),
		"awaiting its review":         rests(reviewed, func(s *v1alpha1.DebugSession) { s.Status.Review.Decision = "" }),
		"as a manager called Condensed": rests(func(s *v1alpha1.DebugSession) {
			s.ManagedFields[0].Manager, s.Status.Phase = "Condensed", v1alpha1.PhaseActive
		}),
	} {
		t.Run(name, func(t *testing.T) {
			wholeBut(t, session, nothingPending)
		})
	}
	t.Run("pending", func(t *testing.T) { wholeBut(t, rests(), func(*v1alpha1.DebugSession) bool { return true }) })
}

func wholeBut(t *testing.T, session *v1alpha1.DebugSession, pending func(*v1alpha1.DebugSession) bool) {
	t.Helper()
	want := session.DeepCopy()
	want.ManagedFields = nil
	got, err := Transform(pending)(session)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}
}

// What is listed at a start is transformed more than once.
func TestTransformIsIdempotent(t *testing.T) {
	transform := Transform(nothingPending)
	once, err := transform(rests(approved))
	if err != nil {
		t.Fatal(err)
	}
	before := once.(*v1alpha1.DebugSession).DeepCopy()
	twice, err := transform(once)
	if diff := cmp.Diff(before, twice); err != nil || diff != "" {
		t.Errorf("%v, (-once +twice):\n%s", err, diff)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web", ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet"}}}}
	if _, err := transform(pod); err != nil || len(pod.ManagedFields) > 0 {
		t.Errorf("another kind: %v, %v", err, pod.ManagedFields)
	}
	if gone, err := transform(toolscache.DeletedFinalStateUnknown{Key: "a/b"}); err != nil || gone == nil {
		t.Errorf("a tombstone: %v, %v", gone, err)
	}
}

// mostBytes is what a record may cost in an informer's cache: 50,000 of them are to fit in the memory that the operator is installed with.
const mostBytes = 1520

func TestRecordsAreSmall(t *testing.T) {
	const n = 50_000
	transform := Transform(nothingPending)
	store := toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, toolscache.Indexers{toolscache.NamespaceIndex: toolscache.MetaNamespaceIndexFunc})
	before := heap()
	for i := range n {
		object, err := transform(rests(func(s *v1alpha1.DebugSession) {
			s.Name, s.UID = fmt.Sprintf("checkout-hang-%08d", i), types.UID(fmt.Sprintf("6f1e0d5e-0000-4000-8000-%012d", i))
			s.ResourceVersion = fmt.Sprint(1_000_000 + i)
		}))
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Add(object); err != nil {
			t.Fatal(err)
		}
	}
	each := (heap() - before) / n
	t.Logf("%d bytes a record", each)
	if each > mostBytes {
		t.Errorf("a record takes %d bytes, more than %d", each, mostBytes)
	}
	runtime.KeepAlive(store)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
