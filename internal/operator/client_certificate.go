package operator

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// demandClientCertificate has the webhooks answer nobody but who shows a certificate of the given CA: the API server, where it
// is configured to. If a name is given, the certificate must be for it. The file is read for each connection, of which an
// API server makes few, so that a CA can be replaced while the operator runs.
func demandClientCertificate(caFile, name string) (func(*tls.Config), error) {
	if caFile == "" && name != "" {
		return nil, fmt.Errorf("--webhook-client-name requires --webhook-client-ca-file: without a CA, no client certificate is requested")
	}
	if caFile == "" {
		return func(*tls.Config) {}, nil
	}
	if _, err := readPool(caFile); err != nil {
		return nil, err
	}
	return func(serving *tls.Config) {
		serving.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
			pool, err := readPool(caFile)
			if err != nil {
				return nil, err
			}
			demanding := serving.Clone()
			demanding.GetConfigForClient = nil
			demanding.ClientCAs, demanding.ClientAuth = pool, tls.RequireAndVerifyClientCert
			demanding.VerifyConnection = func(state tls.ConnectionState) error {
				if shown := state.PeerCertificates[0].Subject.CommonName; name != "" && shown != name {
					return fmt.Errorf("the client's certificate is for %q, but %q is expected", shown, name)
				}
				return nil
			}
			return demanding, nil
		}
	}, nil
}

func readPool(file string) (*x509.CertPool, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the CA of the webhooks' clients: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("the CA of the webhooks' clients: %s contains no PEM certificate", file)
	}
	return pool, nil
}
