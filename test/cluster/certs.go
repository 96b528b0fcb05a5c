//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// A cluster lives for hours; its certificates need not outlive it by much.
const certificateLifetime = 30 * 24 * time.Hour

// authority signs certificates. There are three, because each answers another
// question: who may talk to the API server, who may talk to etcd, and who may
// say in whose name a proxied request comes.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// identityCertificate is a component's or a user's: the API server takes the
// user's name from the common name and the groups from the organizations.
type identityCertificate struct {
	file   string
	user   string
	groups []string
	hosts  []string // set when it also serves
}

// writePKI makes all keys and certificates, and a kubeconfig for each client
// of the API server. Each component has its own identity: what RBAC would deny
// on another cluster must be denied on this one.
func writePKI() error {
	authorities := map[string]*authority{"ca": nil, "etcd-ca": nil, "front-proxy-ca": nil}
	for file := range authorities {
		made, err := newAuthority(file)
		if err != nil {
			return err
		}
		if err := made.write(file); err != nil {
			return err
		}
		authorities[file] = made
	}
	cluster, etcd, frontProxy := authorities["ca"], authorities["etcd-ca"], authorities["front-proxy-ca"]
	for _, issue := range []struct {
		by   *authority
		cert identityCertificate
	}{
		{etcd, identityCertificate{file: "etcd", user: "etcd", hosts: []string{"127.0.0.1", "localhost"}}},
		{etcd, identityCertificate{file: "apiserver-etcd-client", user: "kube-apiserver"}},
		{frontProxy, identityCertificate{file: "front-proxy-client", user: "front-proxy-client"}},
		{cluster, identityCertificate{file: "apiserver-kubelet-client", user: kubeletClientUser}},
		{cluster, identityCertificate{file: "kubelet", user: "system:node:" + nodeName, groups: []string{"system:nodes"}, hosts: []string{nodeAddress, nodeName}}},
		{cluster, identityCertificate{file: "apiserver", user: "kube-apiserver", hosts: []string{
			nodeAddress, apiServiceIP, "127.0.0.1", "localhost",
			"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}}},
	} {
		if _, _, err := issue.by.issueAndWrite(issue.cert); err != nil {
			return err
		}
	}
	if err := writeServiceAccountKeys(); err != nil {
		return err
	}
	return writeKubeconfigs(cluster)
}

// kubeletClientUser is who the API server is to the kubelet. It may use the
// kubelet's API, by a binding that up makes, and nothing else.
const kubeletClientUser = "kube-apiserver-kubelet-client"

func writeKubeconfigs(ca *authority) error {
	for path, who := range map[string]identityCertificate{
		kubeconfigPath("controller-manager"): {user: "system:kube-controller-manager"},
		kubeconfigPath("scheduler"):          {user: "system:kube-scheduler"},
		kubeconfigPath("proxy"):              {user: "system:kube-proxy"},
		kubeconfigPath("kubelet"):            {user: "system:node:" + nodeName, groups: []string{"system:nodes"}},
		userPath("admin"):                    {file: "admin", user: "admin", groups: []string{"system:masters"}},
		userPath("alice"):                    {user: "alice"},
		userPath("bob"):                      {user: "bob"},
		userPath("carol"):                    {user: "carol", groups: []string{"sre"}},
	} {
		certificate, key, err := ca.issueAndWrite(who)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, kubeconfig(who.user, ca.pem(), certificate, key), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificateTemplate(pkix.Name{CommonName: name})
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return &authority{certificate, key}, err
}

func (a *authority) pem() []byte { return encodeCertificate(a.certificate.Raw) }

func (a *authority) write(file string) error {
	key, err := encodeKey(a.key)
	if err != nil {
		return err
	}
	return writePair(file, a.pem(), key)
}

// issueAndWrite writes the pair when it has a file name, too.
func (a *authority) issueAndWrite(request identityCertificate) (certificate, key []byte, err error) {
	certificate, key, err = a.issue(request)
	if err == nil && request.file != "" {
		err = writePair(request.file, certificate, key)
	}
	return certificate, key, err
}

func (a *authority) issue(request identityCertificate) (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := certificateTemplate(pkix.Name{CommonName: request.user, Organization: request.groups})
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	for _, host := range request.hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	if len(request.hosts) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, private.Public(), a.key)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate of %s: %w", request.user, err)
	}
	key, err = encodeKey(private)
	return encodeCertificate(der), key, err
}

func certificateTemplate(subject pkix.Name) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)) // rand.Reader does not fail
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      subject,
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(certificateLifetime),
	}
}

func writeServiceAccountKeys() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	private, err := encodeKey(key)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := os.WriteFile(pkiPath("service-account.key"), private, 0o600); err != nil {
		return err
	}
	return os.WriteFile(pkiPath("service-account.pub"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o644)
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// encodeKey uses the SEC 1 form: the service account signer reads no other for
// elliptic curve keys.
func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), err
}

func writePair(name string, certificate, key []byte) error {
	if err := os.WriteFile(pkiPath(name+".key"), key, 0o600); err != nil {
		return err
	}
	return os.WriteFile(pkiPath(name+".crt"), certificate, 0o644)
}

// kubeconfig holds everything in itself, so that a test may copy it elsewhere.
func kubeconfig(user string, ca, certificate, key []byte) []byte {
	encode := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: debugsession
  cluster: {server: %q, certificate-authority-data: %s}
users:
- name: %q
  user: {client-certificate-data: %s, client-key-data: %s}
contexts:
- name: debugsession
  context: {cluster: debugsession, user: %q}
current-context: debugsession
`, apiServerURL, encode(ca), user, encode(certificate), encode(key), user)
}
