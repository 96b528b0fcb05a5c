package tracing

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"k8s.io/client-go/rest"
)

// Wrap has the requests of a client be spans, below the pass or the admission request that they are made for.
func (p *Provider) Wrap(config *rest.Config) {
	if p == nil {
		return
	}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &transport{plain: next, traced: otelhttp.NewTransport(unmasked{next},
			otelhttp.WithTracerProvider(p.sdk),
			otelhttp.WithPropagators(traceContext),
			otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Context().Value(maskedKey{}).(masked).name }),
		)}
	})
}

// transport shows otelhttp, which writes the whole URL into a span, what kind of URL it is instead.
type transport struct{ plain, traced http.RoundTripper }

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	at := parse(r.URL.Path)
	if at.endless(r.URL.Query()) {
		return t.plain.RoundTrip(r)
	}
	shown := r.WithContext(context.WithValue(r.Context(), maskedKey{}, masked{name: strings.TrimSpace(r.Method + " " + at.resource), url: r.URL}))
	shown.URL = &url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: at.template}
	return t.traced.RoundTrip(shown)
}

type maskedKey struct{}

// masked is a request whose URL is not shown, and the name of its span.
type masked struct {
	name string
	url  *url.URL
}

// unmasked makes the request as it was.
type unmasked struct{ next http.RoundTripper }

func (u unmasked) RoundTrip(r *http.Request) (*http.Response, error) {
	r.URL = r.Context().Value(maskedKey{}).(masked).url // of otelhttp's own clone
	return u.next.RoundTrip(r)
}

// address is what a path of the API server says but for names.
type address struct {
	resource string // with the subresource, as in pods/log; empty for what is no resource
	template string
}

// parse takes the names out of a path. What comes before /api or /apis is a proxy's.
func parse(path string) address {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	root := slices.IndexFunc(parts, func(part string) bool { return part == "api" || part == "apis" })
	if root < 0 {
		return address{}
	}
	known := 2 // api, v1
	if parts[root] == "apis" {
		known = 3 // apis, the group, the version
	}
	parts = parts[root:]
	if len(parts) <= known {
		return address{template: "/" + strings.Join(parts, "/")} // discovery
	}
	shape, rest := slices.Clone(parts[:known]), parts[known:]
	if rest[0] == "namespaces" && len(rest) > 2 && rest[2] != "status" && rest[2] != "finalize" {
		shape, rest = append(shape, "namespaces", "{namespace}"), rest[2:]
	}
	at := address{resource: rest[0]}
	shape = append(shape, rest[0])
	if len(rest) > 1 {
		shape = append(shape, "{name}")
	}
	if len(rest) > 2 {
		shape, at.resource = append(shape, rest[2]), at.resource+"/"+rest[2]
	}
	at.template = "/" + strings.Join(shape, "/")
	return at
}

// endless reports whether a request lasts for as long as it likes, or is made for ever: the renewal of a lease says nothing.
func (a address) endless(query url.Values) bool {
	switch a.resource {
	case "leases", "pods/exec", "pods/attach", "pods/portforward":
		return true
	default:
		return isTrue(query, "watch") || isTrue(query, "follow")
	}
}

func isTrue(query url.Values, key string) bool {
	return query.Get(key) == "true" || query.Get(key) == "1"
}
