package podwatch

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net/http/httptest"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// A group's stream begins with all the pods of a namespace: at two kB a round trip, that would take as many round trips as there are pods. A
// stream of one pod keeps its buffer for as long as it lasts.
func TestReceiveWindows(t *testing.T) {
	for name, test := range map[string]struct {
		of   func(*Clients) corev1client.CoreV1Interface
		want uint32
	}{
		"of one pod":   {func(c *Clients) corev1client.CoreV1Interface { return c.one }, 2 << 10},
		"of many pods": {func(c *Clients) corev1client.CoreV1Interface { return c.many }, 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			host, window := firstSettings(t)
			clients, err := NewClients(&rest.Config{Host: host, TLSClientConfig: rest.TLSClientConfig{Insecure: true}})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			asked := make(chan struct{})
			go func() {
				defer close(asked)
				_, _ = test.of(clients).Pods("shop").Watch(ctx, metav1.ListOptions{})
			}()
			if got := <-window; got != test.want {
				t.Errorf("the API server may send %d bytes at once, want %d", got, test.want)
			}
			cancel()
			<-asked
		})
	}
}

// firstSettings serves one connection, of which it tells the initial window size that the client's first HTTP/2 frame, its SETTINGS, has.
func firstSettings(t *testing.T) (host string, window <-chan uint32) {
	t.Helper()
	const preface, header, setting, initialWindowSize = 24, 9, 6, 4
	certified := httptest.NewTLSServer(nil)
	certified.Close()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: certified.TLS.Certificates, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	told := make(chan uint32, 1)
	go func() {
		defer close(told)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		start := make([]byte, preface+header)
		if _, err := io.ReadFull(conn, start); err != nil {
			t.Error(err)
			return
		}
		settings := make([]byte, int(start[preface])<<16|int(binary.BigEndian.Uint16(start[preface+1:])))
		if _, err := io.ReadFull(conn, settings); err != nil {
			t.Error(err)
			return
		}
		for ; len(settings) >= setting; settings = settings[setting:] {
			if binary.BigEndian.Uint16(settings) == initialWindowSize {
				told <- binary.BigEndian.Uint32(settings[2:])
				return
			}
		}
		t.Error("the client's settings have no initial window size")
	}()
	return "https://" + listener.Addr().String(), told
}
