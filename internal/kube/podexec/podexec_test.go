package podexec

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/exec"
	"k8s.io/streaming/pkg/httpstream/wsstream"
)

// node answers every exec by writing that much to the command's standard error, and has it exit with 1.
func node(t *testing.T, megabytes int) *Executor {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		conn := wsstream.NewConn(
			map[string]wsstream.ChannelProtocolConfig{"v5.channel.k8s.io": {Binary: true, Channels: []wsstream.ChannelType{
				wsstream.ReadChannel, wsstream.WriteChannel, wsstream.WriteChannel, wsstream.WriteChannel, wsstream.ReadChannel,
			}}})
		_, streams, err := conn.Open(w, req)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		words := []byte("\xff\n" + strings.Repeat("0123456789abcdef", 1<<12))
		for range 16 * megabytes {
			if _, err := streams[2].Write(words); err != nil {
				return
			}
		}
		_, _ = streams[3].Write([]byte(`{"status":"Failure","reason":"NonZeroExitCode","message":"exit code ` +
			`1","details":{"causes":[{"reason":"ExitCode","message":"1"}]}}`))
	}))
	t.Cleanup(server.Close)
	return to(t, server.URL)
}

func to(t *testing.T, host string) *Executor {
	config := &rest.Config{Host: host}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return New(config, client)
}

// What is in a debugger's container is its owner's, sh included: it may write without end.
func TestOnlyTheBeginningOfWhatACommandSaysIsKept(t *testing.T) {
	err := node(t, 16).Exec(context.Background(), types.NamespacedName{Namespace: "shop", Name: "web"}, "debugger", []string{"sh"})
	var exit exec.CodeExitError
	if !errors.As(err, &exit) || exit.Code != 1 {
		t.Fatalf("came to %T, %.200v", err, err)
	}
	if words := err.Error(); len(words) > 2*most || !strings.Contains(words, "0123456789abcdef") {
		t.Errorf("says %d bytes: %.200s", len(words), words)
	}
}

// It may also write when nobody waits for it any more.
func TestACommandThatIsGivenUpWritesOn(t *testing.T) {
	without := node(t, 1<<30)
	for range 20 {
		ctx, giveUp := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := without.Exec(ctx, types.NamespacedName{Namespace: "shop", Name: "web"}, "debugger", []string{"sh"})
		giveUp()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("came to %.200v", err)
		}
	}
}

// A node that hangs keeps the API server from answering at all.
func TestACommandThatIsNotAnswered(t *testing.T) {
	asked, end := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(asked)
		<-end
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(end) })
	ctx, giveUp := context.WithTimeout(t.Context(), time.Second)
	defer giveUp()
	err := to(t, server.URL).Exec(ctx, types.NamespacedName{Namespace: "shop", Name: "web"}, "debugger", []string{"sh"})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("came to %v", err)
	}
	<-asked
}
