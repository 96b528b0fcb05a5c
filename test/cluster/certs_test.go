//go:build linux

package main

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"testing"
)

func issueForTest(t *testing.T, ca *authority, request identityCertificate) *x509.Certificate {
	t.Helper()
	certificate, key, err := ca.issue(request)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

// The common name and the organizations are what the API server believes, and
// what RBAC is tested with.
func TestIssuedCertificates(t *testing.T) {
	ca, err := newAuthority("ca")
	if err != nil {
		t.Fatal(err)
	}
	other, err := newAuthority("etcd-ca")
	if err != nil {
		t.Fatal(err)
	}
	ours, others := x509.NewCertPool(), x509.NewCertPool()
	ours.AddCert(ca.certificate)
	others.AddCert(other.certificate)
	client := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	server := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}

	carol := issueForTest(t, ca, identityCertificate{user: "carol", groups: []string{"sre"}})
	if carol.Subject.CommonName != "carol" || !slices.Equal(carol.Subject.Organization, []string{"sre"}) {
		t.Errorf("subject is %s", carol.Subject)
	}
	if _, err := carol.Verify(x509.VerifyOptions{Roots: ours, KeyUsages: client}); err != nil {
		t.Errorf("as a client: %v", err)
	}
	if _, err := carol.Verify(x509.VerifyOptions{Roots: ours, KeyUsages: server}); err == nil {
		t.Error("a user's certificate can serve")
	}
	if _, err := carol.Verify(x509.VerifyOptions{Roots: others, KeyUsages: client}); err == nil {
		t.Error("another authority accepts it")
	}
	serving := issueForTest(t, ca, identityCertificate{user: "kube-apiserver", hosts: []string{nodeAddress, "kubernetes.default.svc"}})
	for _, host := range []string{nodeAddress, "kubernetes.default.svc"} {
		if _, err := serving.Verify(x509.VerifyOptions{Roots: ours, KeyUsages: server, DNSName: host}); err != nil {
			t.Errorf("serving as %s: %v", host, err)
		}
	}
}
