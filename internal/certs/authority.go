package certs

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	corev1 "k8s.io/api/core/v1"
)

// How long certificates are valid, and how long before their end they are renewed. The CA outlives many serving
// certificates: while it stays, renewing one of those needs nothing of the API server.
const (
	caValidity      = 10 * 365 * 24 * time.Hour
	servingValidity = 90 * 24 * time.Hour
	renewal         = 30 * 24 * time.Hour
	// clockSkew is how far the API server's clock may be behind the operator's.
	clockSkew = time.Hour
)

// The fields of the Secret.
const (
	caCertField  = "ca.crt"
	caKeyField   = "ca.key"
	certField    = corev1.TLSCertKey
	certKeyField = corev1.TLSPrivateKeyKey
)

const caName = "debugsession-webhook-ca"

// authority makes and judges certificates for the names at which the webhooks are called.
type authority struct {
	maker rotator.CertRotator
}

func newAuthority(names []string) *authority {
	return &authority{maker: rotator.CertRotator{
		CAName: caName, CAOrganization: "debugsession",
		DNSName: names[0], ExtraDNSNames: names[1:],
		ExtKeyUsages: &[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}}
}

// renew changes the Secret's data if it must be, and reports whether it did: a CA or a certificate that is missing, broken, for
// other names, or about to end.
func (a *authority) renew(data map[string][]byte, now time.Time) (changed bool, err error) {
	soon := now.Add(renewal)
	ca := a.readCA(data, soon)
	if ca == nil {
		changed = true
		if ca, err = a.maker.CreateCACert(now.Add(-clockSkew), now.Add(caValidity)); err != nil {
			return false, err
		}
		data[caCertField], data[caKeyField] = ca.CertPEM, ca.KeyPEM
	}
	if changed || !a.valid(data, soon) {
		changed = true
		data[certField], data[certKeyField], err = a.maker.CreateCertPEM(ca, now.Add(-clockSkew), now.Add(servingValidity))
	}
	return changed, err
}

// readCA returns the CA, or nil if there is none that can still be used then.
func (a *authority) readCA(data map[string][]byte, then time.Time) *rotator.KeyPairArtifacts {
	if ok, err := rotator.ValidCert(data[caCertField], data[caCertField], data[caKeyField], caName, nil, then); err != nil || !ok {
		return nil
	}
	certBlock, _ := pem.Decode(data[caCertField])
	keyBlock, _ := pem.Decode(data[caKeyField])
	if certBlock == nil || keyBlock == nil {
		return nil
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil
	}
	key, err := x509.ParsePKCS1PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil
	}
	return &rotator.KeyPairArtifacts{Cert: cert, Key: key, CertPEM: data[caCertField], KeyPEM: data[caKeyField]}
}

func (a *authority) valid(data map[string][]byte, then time.Time) bool {
	for _, name := range append([]string{a.maker.DNSName}, a.maker.ExtraDNSNames...) {
		ok, err := rotator.ValidCert(data[caCertField], data[certField], data[certKeyField], name, a.maker.ExtKeyUsages, then)
		if err != nil || !ok {
			return false
		}
	}
	return true
}

// pair is what is served.
func pair(data map[string][]byte) (*tls.Certificate, error) {
	certificate, err := tls.X509KeyPair(data[certField], data[certKeyField])
	if err != nil {
		return nil, fmt.Errorf("loading the serving certificate: %w", err)
	}
	return &certificate, nil
}
