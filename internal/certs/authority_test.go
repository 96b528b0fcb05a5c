package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"sync"
	"testing"
	"time"
)

var now = time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC)

// Making keys is slow: two sets do for all tests.
var (
	ours   = sync.OnceValues(makeAll)
	theirs = sync.OnceValues(makeAll)
)

func makeAll() (map[string][]byte, error) {
	data := map[string][]byte{}
	_, err := newAuthority([]string{"a.svc", "localhost"}).renew(data, now)
	return data, err
}

func made(t *testing.T, once func() (map[string][]byte, error)) map[string][]byte {
	t.Helper()
	data, err := once()
	if err != nil {
		t.Fatal(err)
	}
	return maps.Clone(data)
}

func renewed(t *testing.T, data map[string][]byte, at time.Time, want bool) {
	t.Helper()
	changed, err := newAuthority([]string{"a.svc", "localhost"}).renew(data, at)
	if err != nil {
		t.Fatal(err)
	}
	if changed != want {
		t.Fatalf("at %s: renewed %t, want %t", at, changed, want)
	}
}

func TestRenewMakesWhatIsServed(t *testing.T) {
	data := made(t, ours)
	certificate, err := pair(data)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data[caCertField]) {
		t.Fatal("the CA is no PEM")
	}
	for _, name := range []string{"a.svc", "localhost"} {
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: now}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRenewInTime(t *testing.T) {
	data := made(t, ours)
	renewed(t, data, now.Add(servingValidity-renewal-time.Hour), false)

	first := maps.Clone(data)
	renewed(t, data, now.Add(servingValidity-renewal+time.Hour), true)
	if !bytes.Equal(first[caCertField], data[caCertField]) {
		t.Error("the CA was replaced with its certificate")
	}
	if bytes.Equal(first[certField], data[certField]) {
		t.Error("the certificate was not replaced")
	}
	renewed(t, data, now.Add(caValidity-renewal+time.Hour), true)
	if bytes.Equal(first[caCertField], data[caCertField]) {
		t.Error("the CA was not replaced")
	}
}

func TestRenewWhatIsBroken(t *testing.T) {
	other := made(t, theirs)
	for name, spoil := range map[string]func(map[string][]byte){
		"no CA":                     func(d map[string][]byte) { delete(d, caCertField) },
		"no CA key":                 func(d map[string][]byte) { delete(d, caKeyField) },
		"another CA's key":          func(d map[string][]byte) { d[caKeyField] = other[caKeyField] },
		"no certificate":            func(d map[string][]byte) { delete(d, certField) },
		"another certificate's key": func(d map[string][]byte) { d[certKeyField] = other[certKeyField] },
		"another CA's certificate":  func(d map[string][]byte) { d[certField], d[certKeyField] = other[certField], other[certKeyField] },
		"no PEM":                    func(d map[string][]byte) { d[caCertField] = []byte("CA") },
		"a CA that is no certificate": func(d map[string][]byte) {
			d[caCertField] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("CA")})
		},
	} {
		t.Run(name, func(t *testing.T) {
			data := made(t, ours)
			spoil(data)
			renewed(t, data, now, true)
			renewed(t, data, now, false)
			if _, err := pair(data); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRenewForOtherNames(t *testing.T) {
	data := made(t, ours)
	changed, err := newAuthority([]string{"a.svc", "localhost", "b.svc"}).renew(data, now)
	if err != nil || !changed {
		t.Errorf("renewed %t, %v, though a name is missing", changed, err)
	}
}
