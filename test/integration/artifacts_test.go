package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/exec"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/operator"
)

// remains are what commands leave in their containers, which are held for them: the collector's executor.
type remains struct {
	node *kubelet

	mu     sync.Mutex
	files  map[string][]byte
	codes  map[string]int // with which reading a file ends that is none
	slow   string         // a file of which the reading does not end
	ended  bool           // the command has
	letGo  int
	change chan struct{}
}

func newRemains(node *kubelet) *remains {
	return &remains{node: node, files: map[string][]byte{}, codes: map[string]int{}, change: make(chan struct{})}
}

// end has the command end.
func (r *remains) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	close(r.change)
}

func (r *remains) Stream(ctx context.Context, pod types.NamespacedName, container string, command []string, out io.Writer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Equal(command, debugpod.AwaitFiles()) {
		ended := r.ended
		r.mu.Unlock()
		defer r.mu.Lock()
		if ended {
			return nil
		}
		select {
		case <-r.change:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	path := command[len(command)-2]
	if code := r.codes[path]; code != 0 {
		return exec.CodeExitError{Err: errors.New("command terminated"), Code: code}
	}
	text, ok := r.files[path]
	if !ok {
		return exec.CodeExitError{Err: errors.New("command terminated"), Code: debugpod.ExitFileMissing}
	}
	slow := r.slow == path
	r.mu.Unlock()
	defer r.mu.Lock()
	if slow {
		<-ctx.Done()
		return ctx.Err()
	}
	for part := range slices.Chunk(text, 32<<10) {
		if _, err := out.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// Exec lets the container end.
func (r *remains) Exec(ctx context.Context, pod types.NamespacedName, container string, _ []string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.letGo++
	return r.node.live().Exit(ctx, pod, container, exited(7, "Error", ""))
}

func (r *remains) read() func(*manager.Options, *operator.Options) {
	return func(_ *manager.Options, o *operator.Options) { o.Collected = r }
}

// leaving is a session whose command leaves files.
func leaving(paths ...string) fixture.SessionOption {
	return func(s *v1alpha1.DebugSession) {
		withoutTerminal(s)
		s.Spec.Debugger.Command, s.Spec.Debugger.Artifacts = []string{"tcpdump", "-c", "9"}, paths
	}
}

var _ = Describe("artifacts", func() {
	var namespace, folder, store, class string
	var node *kubelet
	var left *remains

	BeforeEach(func() {
		folder = filepath.Join(GinkgoT().TempDir(), "audit")
		store = "--store=file://" + folder
		node = &kubelet{}
		left = newRemains(node)
	})

	begin := func(ctx context.Context, change ...func(*manager.Options, *operator.Options)) (stop func()) {
		GinkgoHelper()
		stop = startOperator(node, append(change, left.read())...)
		createAnything(ctx)
		namespace = newNamespace(ctx, nil)
		class = newClass(ctx, "keeping-"+namespace, func(c *v1alpha1.DebugClass) {
			c.Spec.Artifacts = &v1alpha1.ArtifactPolicy{MaxSize: new(resource.MustParse("3Mi"))}
		}).Name
		return stop
	}

	It("are read when the command has ended, named by the record, downloaded, and cannot be changed unseen", func(ctx SpecContext) {
		begin(ctx, storing(folder))
		dump := bytes.Repeat([]byte("0123456789abcdef"), 1<<16+1)
		left.files["/tmp/dump.pcap"], left.files["/tmp/empty"] = dump, []byte{}
		left.files["/tmp/large"] = make([]byte, 3<<20)
		left.codes["/tmp/link"], left.codes["/tmp/fifo"], left.codes["/tmp/closed"] = debugpod.ExitFileLinked, debugpod.ExitFileNotRegular, debugpod.ExitFileForbidden
		paths := []string{"/tmp/none", "/tmp/link", "/tmp/fifo", "/tmp/closed", "/tmp/dump.pcap", "/tmp/empty", "/tmp/large"}
		session := active(ctx, node, namespace, "dump", runningPod(ctx, namespace, "web"), ofClass(class), leaving(paths...))
		Expect(session.Status.Class.MaxArtifactSize.String()).To(Equal("3Mi"))
		Consistently(func(g Gomega) {
			refreshed(ctx, g, session)
			g.Expect(session.Status.Artifacts).To(BeEmpty())
		}, "500ms").Should(Succeed())
		left.end()
		endsAs(ctx, session, v1alpha1.OutcomeCompleted, v1alpha1.ReasonExited)
		Expect(*session.Status.Debugger.ExitCode).To(Equal(int32(7)))
		Expect(left.letGo).To(Equal(1))
		var states []v1alpha1.ArtifactState
		for i, row := range session.Status.Artifacts {
			Expect(row.Path).To(Equal(paths[i]))
			states = append(states, row.State)
		}
		Expect(states).To(Equal([]v1alpha1.ArtifactState{v1alpha1.ArtifactMissing, v1alpha1.ArtifactNotRegular, v1alpha1.ArtifactNotRegular,
			v1alpha1.ArtifactUnreadable, v1alpha1.ArtifactKept, v1alpha1.ArtifactKept, v1alpha1.ArtifactTooLarge}))
		kept := session.Status.Artifacts[4]
		Expect(kept.Bytes).To(Equal(int64(len(dump))))
		Expect(kept.Parts).To(Equal(int32(2)))
		Eventually(func(g Gomega) {
			var events corev1.EventList
			g.Expect(k8s.List(ctx, &events, client.InNamespace(namespace))).To(Succeed())
			g.Expect(fmt.Sprint(events.Items)).To(ContainSubstring("5 of 7 artifacts were not kept"))
		}).Should(Succeed())

		recorded(ctx, session)
		Expect(recordOf(folder, session).Session.Artifacts).To(Equal(session.Status.Artifacts))
		to := filepath.Join(GinkgoT().TempDir(), "got")
		_, err := dbg(ctx, "artifacts", "dump", "/tmp/dump.pcap", "-n", namespace, store, "--to="+to)
		Expect(err).NotTo(HaveOccurred())
		Expect(os.ReadFile(to)).To(Equal(dump))
		_, err = dbg(ctx, "artifacts", "dump", "/tmp/dump.pcap", "-n", namespace, store, "--to="+to)
		Expect(err).To(MatchError(ContainSubstring("is not overwritten")))
		_, err = dbg(ctx, "artifacts", "dump", "/tmp/link", "-n", namespace, store)
		Expect(err).To(MatchError(ContainSubstring("a symbolic link")))
		Expect(dbg(ctx, "artifacts", "dump", "-n", namespace, store)).To(ContainSubstring("TooLarge"))

		part := filepath.Join(folder, kept.Key, "000002.bin")
		Expect(os.WriteFile(part, []byte("other"), 0o600)).To(Succeed())
		_, err = dbg(ctx, "artifacts", "dump", "/tmp/dump.pcap", "-n", namespace, store, "--to="+to+"2")
		Expect(err).To(MatchError(ContainSubstring("is not what was written")))
		Expect(to + "2").NotTo(BeAnExistingFile())
		data := anchored(ctx, folder).Data()
		out, err := dbgAudit(ctx, "verify", store, "--public-key="+data["publicKey"], "--head="+data["head"])
		Expect(err).To(HaveOccurred())
		Expect(out).To(ContainSubstring("ArtifactChanged"))
		Expect(os.Remove(part)).To(Succeed())
		out, err = dbgAudit(ctx, "verify", store, "--public-key="+data["publicKey"], "--head="+data["head"])
		Expect(err).To(HaveOccurred())
		Expect(out).To(ContainSubstring("ArtifactRemoved"))
	})

	It("that are not stored when their session ends are lost, and hold up nothing", func(ctx SpecContext) {
		begin(ctx, storing(folder))
		left.files["/tmp/a"], left.files["/tmp/b"], left.slow = []byte("a"), []byte("b"), "/tmp/b"
		session := active(ctx, node, namespace, "dump", runningPod(ctx, namespace, "web"), ofClass(class), leaving("/tmp/a", "/tmp/b"))
		left.end()
		Eventually(func() []string {
			found, err := filepath.Glob(filepath.Join(folder, "artifacts", "*", namespace, "*", "0", "*.bin"))
			Expect(err).NotTo(HaveOccurred())
			return found
		}).Should(HaveLen(1))
		edit(ctx, session, fixture.End)
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
		Expect(session.Status.Artifacts).To(HaveLen(2))
		Expect(session.Status.Artifacts[0].State).To(Equal(v1alpha1.ArtifactKept))
		Expect(session.Status.Artifacts[1].State).To(Equal(v1alpha1.ArtifactLost))
		Expect(session.Status.Artifacts[1].Message).To(ContainSubstring("ended before it was read"))
	})

	It("are collected by the operator that comes after one that was killed while it read them", func(ctx SpecContext) {
		stop := begin(ctx, storing(folder))
		left.files["/tmp/a"], left.files["/tmp/b"], left.slow = []byte("a"), []byte("b"), "/tmp/b"
		session := active(ctx, node, namespace, "dump", runningPod(ctx, namespace, "web"), ofClass(class), leaving("/tmp/a", "/tmp/b"))
		left.end()
		Eventually(func() []string {
			found, _ := filepath.Glob(filepath.Join(folder, "artifacts", "*", namespace, "*", "0", "*.bin"))
			return found
		}).Should(HaveLen(1))
		stop()
		left.mu.Lock()
		left.slow = ""
		left.mu.Unlock()
		startOperator(node, storing(folder), left.read())
		endsAs(ctx, session, v1alpha1.OutcomeCompleted, v1alpha1.ReasonExited)
		for _, row := range session.Status.Artifacts {
			Expect(row.State).To(Equal(v1alpha1.ArtifactKept), row.Message)
		}
	})

	It("of a copy are read as well, and its command runs once", func(ctx SpecContext) {
		begin(ctx, storing(folder))
		left.files["/tmp/heap"] = []byte("heap")
		session := active(ctx, node, namespace, "heap", runningPod(ctx, namespace, "web"), ofClass(class), fixture.AsCopy(), leaving("/tmp/heap", "/tmp/none"))
		made := copied(ctx, session)
		Expect(made.Spec.RestartPolicy).To(Equal(corev1.RestartPolicyNever))
		Expect(session.Status.Warnings).To(ContainElement(ContainSubstring("not started again")))
		left.end()
		endsAs(ctx, session, v1alpha1.OutcomeCompleted, v1alpha1.ReasonExited)
		Expect(*session.Status.Debugger.ExitCode).To(Equal(int32(7)))
		Expect(session.Status.Artifacts).To(HaveLen(2))
		Expect(session.Status.Artifacts[0].State).To(Equal(v1alpha1.ArtifactKept))
		Expect(session.Status.Artifacts[1].State).To(Equal(v1alpha1.ArtifactMissing))
		recorded(ctx, session)
		Expect(recordOf(folder, session).Session.Artifacts).To(Equal(session.Status.Artifacts))
	})

	It("of a copy that needs approval leave it the command that was asked for in what approvers see", func(ctx SpecContext) {
		begin(ctx, storing(folder))
		approved := newClass(ctx, "approved-"+namespace, func(c *v1alpha1.DebugClass) {
			c.Spec.Artifacts = &v1alpha1.ArtifactPolicy{}
			fixture.Approvals(1)(&c.Spec)
		}).Name
		session := create(ctx, namespace, "heap", fixture.Of(runningPod(ctx, namespace, "web").Name), ofClass(approved), fixture.AsCopy(), leaving("/tmp/heap"))
		reaches(ctx, session, v1alpha1.PhaseAwaitingApproval)
		var preview corev1.Pod
		Expect(json.Unmarshal(session.Status.Request.Preview.Raw, &preview)).To(Succeed())
		Expect(preview.Spec.Containers[len(preview.Spec.Containers)-1].Command).To(Equal(session.Spec.Debugger.Command))
	})

	It("wait for a store, and are refused where they cannot be kept", func(ctx SpecContext) {
		begin(ctx)
		pod := runningPod(ctx, namespace, "web")
		waiting := create(ctx, namespace, "waiting", fixture.Of(pod.Name), ofClass(class), leaving("/tmp/a"))
		Eventually(func(g Gomega) {
			refreshed(ctx, g, waiting)
			g.Expect(waiting.Status.Reason).To(Equal(v1alpha1.ReasonNoAuditStore))
		}).Should(Succeed())
		required := newClass(ctx, "required-"+namespace, func(c *v1alpha1.DebugClass) { c.Spec.Audit = v1alpha1.AuditRequired }).Name
		for name, ready := range map[string]metav1.Condition{
			class:    {Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonValid, Message: "sessions that keep artifacts wait"},
			required: {Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNoAuditStore, Message: "every session wait"},
		} {
			Eventually(func(g Gomega) {
				var stored v1alpha1.DebugClass
				g.Expect(k8s.Get(ctx, client.ObjectKey{Name: name}, &stored)).To(Succeed())
				got := meta.FindStatusCondition(stored.Status.Conditions, v1alpha1.ConditionReady)
				g.Expect(got).NotTo(BeNil())
				g.Expect([]string{string(got.Status), got.Reason}).To(Equal([]string{string(ready.Status), ready.Reason}))
				g.Expect(got.Message).To(ContainSubstring(ready.Message))
			}).Should(Succeed())
		}
		for path, says := range map[string]string{
			"tmp/a": "absolute path", "/tmp/*": "no wildcards", "/tmp/../etc/shadow": ". or ..", "/tmp/./a": ". or ..", "/proc/1/environ": "below /proc", "/tmp/": "absolute path",
			"/tmp/a b": "no spaces", "/sys": "below /proc",
		} {
			Expect(trying(ctx, namespace, pod, ofClass(class), leaving(path))).To(MatchError(ContainSubstring(says)), path)
		}
		for says, change := range map[string]fixture.SessionOption{
			"not for a debugger in a pod's network": func(s *v1alpha1.DebugSession) {
				s.Spec.Mode, s.Spec.Target = v1alpha1.ModeNode, v1alpha1.Target{PodName: "web", PodNamespace: namespace}
			},
			"remove stdin and tty":      func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Stdin = true },
			"set debugger.command":      func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Command = nil },
			"combined with unstoppable": func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Unstoppable = true },
			"is not allowed":            ofClass(newClass(ctx, "keepless-"+namespace).Name),
			"Duplicate value":           func(s *v1alpha1.DebugSession) { s.Spec.Debugger.Artifacts = []string{"/tmp/a", "/tmp/a"} },
		} {
			Expect(trying(ctx, namespace, pod, ofClass(class), leaving("/tmp/a"), change)).To(MatchError(ContainSubstring(says)), says)
		}
		broad := fixture.Class(func(c *v1alpha1.DebugClassSpec) {
			c.Artifacts = &v1alpha1.ArtifactPolicy{MaxSize: new(resource.MustParse("2Gi"))}
		})
		broad.ObjectMeta.Reset()
		broad.Name = "broad-" + namespace
		Expect(k8s.Create(ctx, broad, client.DryRunAll)).To(MatchError(ContainSubstring("must be from 1 to 1Gi")))
	})
})

// trying is the API server's answer to a session that is not created.
func trying(ctx context.Context, namespace string, pod *corev1.Pod, options ...fixture.SessionOption) error {
	return k8s.Create(ctx, asked(namespace, "trying", append([]fixture.SessionOption{fixture.Of(pod.Name)}, options...)...), client.DryRunAll)
}
