//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// readyTimeout is generous: on a machine busy with something else, a component
// may take many times as long as usual. One that has exited is not waited for.
const readyTimeout = 3 * time.Minute

// probe returns nil when what it asks is ready.
type probe func(ctx context.Context) error

// componentError names what failed and shows the end of its log.
type componentError struct {
	component string
	err       error
}

func (e *componentError) Error() string {
	return fmt.Sprintf("%s: %v\nThe end of %s:\n%s", e.component, e.err, logPath(e.component), logTail(e.component, 30))
}

func (e *componentError) Unwrap() error { return e.err }

var errExited = errors.New("it exited")

// await asks until the probe is content, the component has exited, or it is too late.
func await(ctx context.Context, p probe, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		err := p(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-exited:
			return errExited
		case <-ctx.Done():
			return fmt.Errorf("not ready in time: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func logTail(component string, lines int) string {
	content, err := os.ReadFile(logPath(component))
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func httpProbe(url string) probe {
	return func(ctx context.Context) error {
		return get(ctx, &http.Client{Timeout: 5 * time.Second, Transport: transport(nil)}, url, nil)
	}
}

// selfSignedProbe is for components that make their own serving certificate in
// memory. Only a health check goes there, over loopback.
func selfSignedProbe(url string) probe {
	return func(ctx context.Context) error {
		client := &http.Client{Timeout: 5 * time.Second, Transport: transport(&tls.Config{InsecureSkipVerify: true})}
		return get(ctx, client, url, nil)
	}
}

func socketProbe(path string) probe {
	return func(ctx context.Context) error {
		connection, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
		if err == nil {
			err = connection.Close()
		}
		return err
	}
}

// transport uses no proxy: everything asked here is on this machine.
func transport(config *tls.Config) *http.Transport {
	return &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
}

func get(ctx context.Context, client *http.Client, url string, into any) error {
	return do(ctx, client, http.MethodGet, url, nil, into)
}

func do(ctx context.Context, client *http.Client, method, url string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %.300s", method, url, response.Status, content)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(content, into)
}

// adminClient is this tool's own client of the API server.
func adminClient() (*http.Client, error) {
	roots := x509.NewCertPool()
	ca, err := os.ReadFile(pkiPath("ca.crt"))
	if err != nil {
		return nil, err
	}
	roots.AppendCertsFromPEM(ca)
	certificate, err := tls.LoadX509KeyPair(pkiPath("admin.crt"), pkiPath("admin.key"))
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}}
	return &http.Client{Timeout: 10 * time.Second, Transport: transport(config)}, nil
}

func apiServerProbe(ctx context.Context) error {
	client, err := adminClient()
	if err != nil {
		return err
	}
	return get(ctx, client, apiServerURL+"/readyz", nil)
}

func nodeProbe(ctx context.Context) error {
	client, err := adminClient()
	if err != nil {
		return err
	}
	var node struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := get(ctx, client, apiServerURL+"/api/v1/nodes/"+nodeName, &node); err != nil {
		return err
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == "Ready" && condition.Status != "True" {
			return fmt.Errorf("the node is not ready: %s", condition.Message)
		} else if condition.Type == "Ready" {
			return nil
		}
	}
	return errors.New("the kubelet has not reported yet")
}

// serviceAccountProbe: no pod can be created in a namespace before its default
// service account exists.
func serviceAccountProbe(ctx context.Context) error {
	client, err := adminClient()
	if err != nil {
		return err
	}
	return get(ctx, client, apiServerURL+"/api/v1/namespaces/default/serviceaccounts/default", nil)
}

// allowKubeletAPI lets the API server use the kubelet's API, for logs, exec and
// attach. Kubernetes ships the role and leaves the binding to the installer.
func allowKubeletAPI(ctx context.Context) error {
	client, err := adminClient()
	if err != nil {
		return err
	}
	binding := map[string]any{
		"apiVersion": "rbac.authorization.k8s.io/v1",
		"kind":       "ClusterRoleBinding",
		"metadata":   map[string]any{"name": "kube-apiserver-kubelet-api"},
		"roleRef":    map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:kubelet-api-admin"},
		"subjects":   []any{map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": kubeletClientUser}},
	}
	body, err := json.Marshal(binding)
	if err != nil {
		return err
	}
	return do(ctx, client, http.MethodPost, apiServerURL+"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", body, nil)
}
