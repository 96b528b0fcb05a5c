package podwatch

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

const (
	// receiveWindow is how much of an event the API server may send before it was read. A stream keeps its receive buffer, which is as large
	// as the most that there ever was in it, for as long as it lasts: without a limit as large as its pod.
	receiveWindow = 2 << 10

	// manyWindow is the same for the stream of a group, which begins with all the pods of a namespace: a round trip brings no more than that.
	manyWindow = 1 << 20

	// A connection on which nothing came for pingAfter is asked whether it still works, and closed if there is no answer within pingTimeout.
	// The same as client-go's.
	pingAfter   = 30 * time.Second
	pingTimeout = 15 * time.Second

	dialTimeout      = 30 * time.Second
	handshakeTimeout = 10 * time.Second
)

// Clients are those that a Watcher needs.
type Clients struct{ one, many corev1client.CoreV1Interface }

// NewClients returns what a Watcher is given.
func NewClients(config *rest.Config) (*Clients, error) {
	one, err := newClient(config, receiveWindow)
	if err != nil {
		return nil, err
	}
	many, err := newClient(config, manyWindow)
	if err != nil {
		return nil, err
	}
	return &Clients{one, many}, nil
}

// newClient speaks protobuf, which is cheaper to decode than JSON. It
// asks for no compression: each stream that waits would hold a decompressor of 45 kB here, and on the API server a
// compressor many times that size, for a pod of a few. It has no request timeout, which would cut every watch short. It
// holds nothing back on the client's side: how fast a thousand watches may begin after a restart is for the API server's
// priority and fairness to judge.
func newClient(config *rest.Config, window int) (corev1client.CoreV1Interface, error) {
	config = rest.CopyConfig(config)
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	config.DisableCompression = true
	config.Timeout = 0
	config.RateLimiter = nil
	config.QPS = -1
	client, err := newHTTPClient(config, window)
	if err != nil {
		return nil, err
	}
	return corev1client.NewForConfigAndClient(config, client)
}

// newHTTPClient returns a client with connections of its own, whose streams have receive buffers of that size.
func newHTTPClient(config *rest.Config, window int) (*http.Client, error) {
	tlsConfig, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, fmt.Errorf("loading the TLS configuration: %w", err)
	}
	if config.Transport != nil || tlsConfig == nil {
		return rest.HTTPClientFor(config) // not HTTP/2, or for somebody else to say
	}
	dial := config.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: dialTimeout}).DialContext
	}
	proxy := config.Proxy
	if proxy == nil {
		proxy = http.ProxyFromEnvironment
	}
	transport, err := rest.HTTPWrappersForConfig(config, &http.Transport{
		Proxy:               proxy,
		DialContext:         dial,
		DialTLSContext:      dialTLS(config, dial),
		TLSClientConfig:     tlsConfig, // through a proxy
		TLSHandshakeTimeout: handshakeTimeout,
		DisableCompression:  true,
		ForceAttemptHTTP2:   true,
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream: window,
			SendPingTimeout:           pingAfter,
			PingTimeout:               pingTimeout,
		},
	})
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: transport}, nil
}

// dialTLS makes each connection with the certificates that the files have by then: they are rotated.
func dialTLS(config *rest.Config, dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		tlsConfig, err := rest.TLSConfigFor(config)
		if err != nil {
			return nil, fmt.Errorf("loading the TLS configuration: %w", err)
		}
		if tlsConfig.ServerName == "" {
			if tlsConfig.ServerName, _, err = net.SplitHostPort(address); err != nil {
				return nil, err
			}
		}
		tlsConfig.NextProtos = []string{"h2", "http/1.1"}
		plain, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
		defer cancel()
		secure := tls.Client(plain, tlsConfig)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = plain.Close()
			return nil, err
		}
		return secure, nil
	}
}
