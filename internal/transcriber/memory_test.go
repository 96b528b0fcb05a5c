package transcriber

import (
	"bufio"
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/auditstore"
	"debugsession.dev/operator/internal/blobtest"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/kube/podlogs"
)

const (
	// streams are followed at once.
	streams = 500

	// servesLogs is the variable by which this program is the server: what that needs must not be counted.
	servesLogs = "TRANSCRIBER_TEST_SERVES_LOGS"
)

func TestMain(m *testing.M) {
	if os.Getenv(servesLogs) != "" {
		serveLogs()
		return
	}
	os.Exit(m.Run())
}

// serveLogs serves the logs of debuggers as an API server does, over HTTP/2: lines that keep coming, until its standard input ends.
func serveLogs() {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for n := 0; r.Context().Err() == nil; n++ {
			_, _ = fmt.Fprintf(w, "%s line %d of %s\r\n", time.Now().UTC().Format(time.RFC3339Nano), n, r.URL.Path)
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(time.Second):
			}
		}
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	fmt.Println(server.URL)
	_ = pem.Encode(os.Stdout, &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
}

// servedLogs starts the server, and returns a source that reads from it.
func servedLogs(b *testing.B) Source {
	b.Helper()
	server := exec.Command(os.Args[0])
	server.Env, server.Stderr = append(os.Environ(), servesLogs+"=1"), os.Stderr
	stdin, err := server.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = server.Wait()
	})
	lines := bufio.NewReader(stdout)
	address, err := lines.ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	var authority strings.Builder
	for !strings.Contains(authority.String(), "-----END") {
		line, err := lines.ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		authority.WriteString(line)
	}
	client, err := kubernetes.NewForConfig(&rest.Config{
		Host: strings.TrimSpace(address), QPS: -1, TLSClientConfig: rest.TLSClientConfig{CAData: []byte(authority.String())},
	})
	if err != nil {
		b.Fatal(err)
	}
	return podlogs.New(client)
}

// taken is the memory that the process has in use: the heap, and the stacks of its goroutines.
func taken() uint64 {
	runtime.GC()
	runtime.GC() // what a pool holds goes with the second
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return memory.HeapAlloc + memory.StackInuse
}

// resident is the memory of the process as the kernel has it, in bytes.
func resident(b *testing.B) uint64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skipf("there is no /proc: %v", err)
	}
	var size, pages uint64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		b.Fatal(err)
	}
	return pages * uint64(os.Getpagesize())
}

// BenchmarkMemoryPerStream says how much memory a transcript takes while its log is followed, of many at once: of debuggers that print a
// line a second, through the client that the operator has.
func BenchmarkMemoryPerStream(b *testing.B) {
	source := servedLogs(b)
	kept := &blobtest.Memory{}
	store := auditstore.New(kept.Open(func(call, _ string, do func() error) error {
		if call == blobtest.Write { // of the store's memory nothing is to be counted
			return nil
		}
		return do()
	}), "mem://")
	for b.Loop() {
		ctx, cancel := context.WithCancel(context.Background())
		t := &Transcriber{
			Store: store, Source: source, Metrics: NewMetrics(),
			Enqueue: func(types.NamespacedName) {}, Complete: func(types.UID) {},
		}
		t.begin(ctx)
		before, pages := taken(), resident(b)
		for i := range streams {
			session := attached()
			session.UID, session.Name = types.UID(fmt.Sprint("stream-", i)), fmt.Sprint("stream-", i)
			session.Namespace = fixture.Namespace
			session.Status.Class.Transcript = v1alpha1.TranscriptBestEffort
			t.look(session)
		}
		// Each has read lines, and stored a part.
		for testutil.ToFloat64(t.Metrics.parts.WithLabelValues(resultStored)) < 2*streams { // the first try of each is to find parts
			time.Sleep(100 * time.Millisecond)
		}
		b.ReportMetric(float64(taken()-before)/streams, "B/stream")
		b.ReportMetric(float64(resident(b)-pages)/streams, "residentB/stream")
		cancel()
		t.working.Wait()
	}
}
