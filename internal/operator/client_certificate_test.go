package operator

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
)

// authority is a CA that can be asked for certificates.
type authority struct {
	t     *testing.T
	maker rotator.CertRotator
	ca    *rotator.KeyPairArtifacts
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, maker: rotator.CertRotator{
		CAName: "clients", ExtKeyUsages: &[]x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}}
	var err error
	if a.ca, err = a.maker.CreateCACert(time.Now().Add(-time.Hour), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) certificate(name string) tls.Certificate {
	a.t.Helper()
	a.maker.DNSName = name
	cert, key, err := a.maker.CreateCertPEM(a.ca, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		a.t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		a.t.Fatal(err)
	}
	return pair
}

// answered reports whether a server with the options answers a client that shows the certificates.
func answered(t *testing.T, serving *tls.Config, shown ...tls.Certificate) bool {
	t.Helper()
	listener, err := tls.Listen("tcp", "localhost:0", serving)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		defer connection.Close()
		_, _ = connection.Write([]byte("x")) // only after the handshake
	}()
	connection, err := tls.Dial("tcp", listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, Certificates: shown})
	if err != nil {
		return false
	}
	defer connection.Close()
	n, err := connection.Read(make([]byte, 1))
	return n == 1 && err == nil
}

func TestClientCertificateIsDemanded(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	file := filepath.Join(t.TempDir(), "ca.crt")
	write := func(content []byte) {
		t.Helper()
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(ours.ca.CertPEM)
	server := ours.certificate("server")
	serve := func(caFile, name string) *tls.Config {
		t.Helper()
		demand, err := demandClientCertificate(caFile, name)
		if err != nil {
			t.Fatal(err)
		}
		config := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &server, nil }}
		demand(config)
		return config
	}
	for what, tc := range map[string]struct {
		caFile, name string
		shown        []tls.Certificate
		answered     bool
	}{
		"none demanded":        {"", "", nil, true},
		"none shown":           {file, "", nil, false},
		"of another CA":        {file, "", []tls.Certificate{theirs.certificate("apiserver")}, false},
		"of the CA":            {file, "", []tls.Certificate{ours.certificate("apiserver")}, true},
		"for the name":         {file, "apiserver", []tls.Certificate{ours.certificate("apiserver")}, true},
		"for another name":     {file, "apiserver", []tls.Certificate{ours.certificate("kubelet")}, false},
		"for the name, forged": {file, "apiserver", []tls.Certificate{theirs.certificate("apiserver")}, false},
	} {
		t.Run(what, func(t *testing.T) {
			if got := answered(t, serve(tc.caFile, tc.name), tc.shown...); got != tc.answered {
				t.Errorf("answered %t, want %t", got, tc.answered)
			}
		})
	}

	config := serve(file, "")
	write(theirs.ca.CertPEM)
	if answered(t, config, ours.certificate("apiserver")) || !answered(t, config, theirs.certificate("apiserver")) {
		t.Error("a CA that was replaced is not read")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if answered(t, config, theirs.certificate("apiserver")) {
		t.Error("without the CA somebody is answered")
	}
}

func TestClientCertificateIsConfigured(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for what, tc := range map[string]struct{ caFile, name string }{
		"a name without a CA": {"", "apiserver"}, "no such file": {empty + "-not", ""}, "a file without a certificate": {empty, ""},
	} {
		if _, err := demandClientCertificate(tc.caFile, tc.name); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
}
