package operator

import (
	"crypto/tls"

	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"debugsession.dev/operator/internal/certs"
)

// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create

// metricsService is the Service, in the operator's namespace, by which Prometheus reaches the metrics.
const metricsService = "debugsession-operator-metrics"

// secureMetrics has metrics that are served over HTTPS be served with the webhooks' certificate, and to those alone whom the API server
// knows by their token and lets get /metrics.
func secureMetrics(options *metricsserver.Options, rotator *certs.Rotator) {
	if !options.SecureServing {
		return
	}
	options.FilterProvider = filters.WithAuthenticationAndAuthorization
	options.TLSOpts = append(options.TLSOpts, func(c *tls.Config) { c.GetCertificate = rotator.GetCertificate })
}
