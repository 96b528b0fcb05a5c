package integration

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/command"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/operator"
)

// logs are what containers print, as a kubelet gives it: the source of transcripts.
type logs struct {
	mu     sync.Mutex
	lines  map[string]string // by pod and container, with timestamps
	ended  map[string]bool
	asked  int
	change chan struct{}
}

func newLogs() *logs {
	return &logs{lines: map[string]string{}, ended: map[string]bool{}, change: make(chan struct{})}
}

func containerOf(session *v1alpha1.DebugSession) string {
	return session.Namespace + "/" + session.Status.Debugger.PodName + "/" + session.Status.Debugger.ContainerName
}

func (l *logs) update(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
	close(l.change)
	l.change = make(chan struct{})
}

// prints has a session's debugger print lines.
func (l *logs) prints(session *v1alpha1.DebugSession, lines ...string) {
	l.update(func() {
		for _, line := range lines {
			l.lines[containerOf(session)] += time.Now().UTC().Format("2006-01-02T15:04:05.000000000Z07:00") + " " + line
		}
	})
}

// ends has the log end, as it does with its container.
func (l *logs) ends(session *v1alpha1.DebugSession) {
	l.update(func() { l.ended[containerOf(session)] = true })
}

func (l *logs) Follow(ctx context.Context, pod types.NamespacedName, container string, _ time.Time) (io.ReadCloser, error) {
	of := pod.String() + "/" + container
	l.mu.Lock()
	l.asked++
	l.mu.Unlock()
	out, in := io.Pipe()
	go func() {
		for sent := 0; ; {
			l.mu.Lock()
			text, ended, change := l.lines[of][sent:], l.ended[of], l.change
			l.mu.Unlock()
			if _, err := io.WriteString(in, text); err != nil {
				return
			}
			sent += len(text)
			if ended && text == "" {
				_ = in.Close()
				return
			}
			if text != "" {
				continue
			}
			select {
			case <-change:
			case <-ctx.Done():
				_ = in.CloseWithError(ctx.Err())
				return
			}
		}
	}()
	return out, nil
}

func (l *logs) follows() func(*manager.Options, *operator.Options) {
	return func(_ *manager.Options, o *operator.Options) { o.Transcribed = l }
}

// transcribing is a class that has what is printed kept.
func transcribing(ctx context.Context, namespace string, policy v1alpha1.TranscriptPolicy) string {
	GinkgoHelper()
	return newClass(ctx, "transcribed-"+namespace, func(c *v1alpha1.DebugClass) {
		c.Spec.Transcript = policy
		if policy == v1alpha1.TranscriptRequired {
			c.Spec.Audit = v1alpha1.AuditRequired
		}
	}).Name
}

func withoutTerminal(s *v1alpha1.DebugSession) {
	s.Spec.Debugger.Stdin, s.Spec.Debugger.TTY = false, false
}

// dbg runs kubectl dbg with nothing that leads to a cluster.
func dbg(ctx context.Context, args ...string) (string, error) {
	streams, _, out, _ := genericiooptions.NewTestIOStreams()
	root := command.New(streams, "test")
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	return out.String(), err
}

var _ = Describe("a transcript", func() {
	var namespace, folder, store string
	var node *kubelet
	var printed *logs

	BeforeEach(func(ctx SpecContext) {
		folder = filepath.Join(GinkgoT().TempDir(), "audit")
		store = "--store=file://" + folder
		node, printed = &kubelet{}, newLogs()
	})

	begin := func(ctx context.Context, change ...func(*manager.Options, *operator.Options)) (stop func()) {
		GinkgoHelper()
		stop = startOperator(node, append(change, printed.follows())...)
		createAnything(ctx)
		namespace = newNamespace(ctx, nil)
		return stop
	}

	// verified is what kubectl dbg audit verify says.
	verified := func(ctx context.Context) (string, error) {
		GinkgoHelper()
		data := anchored(ctx, folder).Data()
		return dbgAudit(ctx, "verify", store, "--public-key="+data["publicKey"], "--head="+data["head"])
	}

	It("has all that was printed, over a restart, is named by the record, is played, and cannot be changed unseen", func(ctx SpecContext) {
		stop := begin(ctx, storing(folder))
		session := active(ctx, node, namespace, "hang", runningPod(ctx, namespace, "web"),
			ofClass(transcribing(ctx, namespace, v1alpha1.TranscriptRequired)))
		Expect(session.Status.Class.Transcript).To(Equal(v1alpha1.TranscriptRequired))
		Expect(session.Status.Message()).To(ContainSubstring("its output is recorded"))
		printed.prints(session, "/ # ls\r\n", "\x1b[34mbin\x1b[0m\r\n")
		parts := func() []string {
			found, err := filepath.Glob(filepath.Join(folder, "transcripts", "*", namespace, "hang-"+string(session.UID), "*.cast"))
			Expect(err).NotTo(HaveOccurred())
			return found
		}
		Eventually(parts).Should(HaveLen(1))
		stop()
		startOperator(node, storing(folder), printed.follows())
		printed.prints(session, "/ # exit\r\n")
		edit(ctx, session, fixture.End)
		held(ctx, session, v1alpha1.ReasonRecording)
		Eventually(func(g Gomega) string {
			refreshed(ctx, g, session)
			return session.Status.Message()
		}).Should(ContainSubstring("its transcript, which the record references, is read and stored first"))
		printed.ends(session)
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))

		named := recordOf(folder, session).Session.Transcript
		Expect(named).To(Equal(session.Status.Transcript))
		Expect(named.Format).To(Equal(v1alpha1.TranscriptCast))
		Expect(named.Incomplete).To(BeEmpty())
		Expect(parts()).To(HaveLen(int(named.Parts)))
		Expect(dbg(ctx, "replay", "hang", "-n", namespace, store, "--speed=1000")).To(
			HavePrefix("/ # ls\r\n\x1b[34mbin\x1b[0m\r\n/ # exit\r\n"))
		Expect(dbg(ctx, "replay", session.Status.Audit.Key, store, "-o", "text")).To(Equal("/ # ls\n␛[34mbin␛[0m\n/ # exit\n"))
		Expect(verified(ctx)).To(ContainSubstring("with 1 transcript: nothing was changed"))
		so := askedSoFar()
		look(ctx, session, 100)
		Expect(askedSince(so, namespace)).To(BeEmpty(), "a settled session costs nothing")

		text, err := os.ReadFile(parts()[0])
		Expect(err).NotTo(HaveOccurred())
		Expect(os.WriteFile(parts()[0], []byte(strings.Replace(string(text), "ls", "id", 1)), 0o600)).To(Succeed())
		out, err := verified(ctx)
		Expect(err).To(HaveOccurred())
		Expect(out).To(ContainSubstring("TranscriptChanged"))
		_, err = dbg(ctx, "replay", "hang", "-n", namespace, store)
		Expect(err).To(MatchError(ContainSubstring("is not what was written")))
		Expect(os.Remove(parts()[0])).To(Succeed())
		out, err = verified(ctx)
		Expect(err).To(HaveOccurred())
		Expect(out).To(ContainSubstring("TranscriptRemoved"))
	})

	It("of a copy is read before the copy is deleted, and one that is not required holds up no session", func(ctx SpecContext) {
		begin(ctx, storing(folder))
		session := active(ctx, node, namespace, "copy", runningPod(ctx, namespace, "web"), fixture.AsCopy(),
			ofClass(transcribing(ctx, namespace, v1alpha1.TranscriptBestEffort)), withoutTerminal)
		printed.prints(session, "early\n")
		edit(ctx, session, fixture.End)
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
		printed.prints(session, "late \x1b[31m\n")
		printed.ends(session)
		recorded(ctx, session)
		Expect(session.Status.Transcript.Format).To(Equal(v1alpha1.TranscriptText))
		Expect(session.Status.Transcript.Incomplete).To(BeEmpty())
		Expect(dbg(ctx, "replay", "copy", "-n", namespace, store)).To(Equal("early\nlate ␛[31m\n"))
	})

	It("is not kept where there is no store, which is said, nor asked for where no class wants it", func(ctx SpecContext) {
		begin(ctx)
		pod := runningPod(ctx, namespace, "web")
		session := active(ctx, node, namespace, "hang", pod, ofClass(transcribing(ctx, namespace, v1alpha1.TranscriptBestEffort)))
		Expect(session.Status.Class.Transcript).To(Equal(v1alpha1.TranscriptNone))
		Expect(session.Status.Warnings).To(ContainElement(ContainSubstring("the debugger's output is not recorded")))
		edit(ctx, session, fixture.End)
		endsAs(ctx, session, v1alpha1.OutcomeTerminated, string(v1alpha1.OutcomeTerminated))
		Expect(printed.asked).To(BeZero())

		class := fixture.Class(func(c *v1alpha1.DebugClassSpec) { c.Transcript = v1alpha1.TranscriptRequired })
		class.ObjectMeta.Reset()
		class.Name = "unrecorded-" + namespace
		Expect(k8s.Create(ctx, class, client.DryRunAll)).To(MatchError(ContainSubstring("transcript: Required needs audit: Required")))
	})
})
