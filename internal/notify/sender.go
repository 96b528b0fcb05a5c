package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"debugsession.dev/operator/api/v1alpha1"
)

const (
	defaultTimeout     = 10 * time.Second
	defaultContentType = "application/json"

	// maxAnswer is how much of an answer is read, so that its connection can be used again.
	maxAnswer = 16 << 10
)

// allTypes is what a sink is told of that does not say.
var allTypes = []v1alpha1.NotificationType{
	v1alpha1.NotifyAwaitingApproval, v1alpha1.NotifyApproved, v1alpha1.NotifyDenied, v1alpha1.NotifyActive,
	v1alpha1.NotifyAboutToEnd, v1alpha1.NotifyEnded, v1alpha1.NotifyRefused, v1alpha1.NotifyTampered,
}

// secretError is why a sink cannot be used before its Secret is changed.
type secretError struct{ error }

// sender posts messages to one sink.
type sender struct {
	url         string
	client      *http.Client
	header      http.Header
	key         []byte
	template    *template.Template
	contentType string
	mode        v1alpha1.CloudEventsMode
	cluster     string
}

// usesSecret reports whether a sink can be used without the Secret.
func usesSecret(spec *v1alpha1.DebugSinkSpec) bool {
	return spec.URLKey != "" || spec.SignatureKey != "" || spec.Template != nil && strings.Contains(spec.Template.Body, "secret") ||
		slices.ContainsFunc(spec.Headers, func(h v1alpha1.SinkHeader) bool { return h.ValueKey != "" })
}

// newSender returns what posts to a sink, or says what is wrong with the sink.
func newSender(spec *v1alpha1.DebugSinkSpec, secret map[string][]byte) (*sender, error) {
	s := &sender{mode: spec.CloudEvents, cluster: spec.Cluster}
	var err error
	if s.url, err = textOr(spec.URL, spec.URLKey, secret); err != nil {
		return nil, err
	}
	if err := checkURL(s.url, spec.AllowHTTP); err != nil {
		return nil, err
	}
	if s.header, err = headerOf(spec, secret); err != nil {
		return nil, err
	}
	if s.key, err = keyOf(spec, secret); err != nil {
		return nil, err
	}
	if err := s.compile(spec, secret); err != nil {
		return nil, err
	}
	s.client, err = newClient(spec)
	return s, err
}

// textOr is what a key of the Secret holds, if there is a key.
func textOr(text string, key v1alpha1.SecretKey, secret map[string][]byte) (string, error) {
	if key == "" {
		return text, nil
	}
	return secretText(secret, key)
}

func headerOf(spec *v1alpha1.DebugSinkSpec, secret map[string][]byte) (http.Header, error) {
	header := http.Header{}
	for _, h := range spec.Headers {
		value, err := textOr(h.Value, h.ValueKey, secret)
		if err != nil {
			return nil, err
		}
		header.Set(h.Name, value)
	}
	return header, nil
}

// keyOf is what messages are signed with; nil if they are not.
func keyOf(spec *v1alpha1.DebugSinkSpec, secret map[string][]byte) ([]byte, error) {
	if spec.SignatureKey == "" {
		return nil, nil
	}
	raw, err := secretText(secret, spec.SignatureKey)
	if err != nil {
		return nil, err
	}
	key, err := signingKey([]byte(raw))
	if err != nil {
		return nil, secretError{fmt.Errorf("key %q of secret %s: %w", spec.SignatureKey, v1alpha1.SinkSecretName, err)}
	}
	return key, nil
}

// compile parses the template, and tries it.
func (s *sender) compile(spec *v1alpha1.DebugSinkSpec, secret map[string][]byte) error {
	if spec.Template == nil {
		return nil
	}
	s.contentType = spec.Template.ContentType
	if s.contentType == "" {
		s.contentType = defaultContentType
	}
	var err error
	s.template, err = parseTemplate(spec.Template.Body, func(key string) (string, error) { return secretText(secret, v1alpha1.SecretKey(key)) })
	if err == nil {
		err = try(s.template, s.contentType, typesOf(spec))
	}
	var missing secretError
	if errors.As(err, &missing) {
		return missing
	}
	if err != nil {
		return fmt.Errorf("spec.template.body: %w", err)
	}
	return nil
}

// everySink are what every sink is told of, whatever it takes: that a session started before its approval is not to go unnoticed for a
// filter that was written for something else.
var everySink = []v1alpha1.NotificationType{v1alpha1.NotifyEmergency, v1alpha1.NotifyReviewOverdue}

func typesOf(spec *v1alpha1.DebugSinkSpec) []v1alpha1.NotificationType {
	if len(spec.Types) == 0 {
		return allTypes
	}
	return slices.Concat(spec.Types, everySink)
}

func secretText(secret map[string][]byte, key v1alpha1.SecretKey) (string, error) {
	value, ok := secret[string(key)]
	if !ok {
		return "", secretError{fmt.Errorf("secret %s in the operator's namespace has no key %q", v1alpha1.SinkSecretName, key)}
	}
	return strings.TrimSpace(string(value)), nil
}

// checkURL does not repeat the address: it may be a secret.
func checkURL(address string, allowHTTP bool) error {
	parsed, err := url.Parse(address)
	switch {
	case err != nil || parsed.Host == "" || parsed.User != nil:
		return errors.New("the address must be an HTTP URL without a user and a password")
	case parsed.Scheme == "https", parsed.Scheme == "http" && allowHTTP:
		return nil
	default:
		return errors.New("the address must begin with https://, or set allowHTTP: true")
	}
}

func newClient(spec *v1alpha1.DebugSinkSpec) (*http.Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if spec.CABundle != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(spec.CABundle)) {
			return nil, errors.New("spec.caBundle: it contains no PEM certificate")
		}
	}
	timeout := defaultTimeout
	if spec.Timeout != nil {
		timeout = spec.Timeout.Duration
	}
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, ForceAttemptHTTP2: true,
			MaxConnsPerHost: slots, MaxIdleConnsPerHost: slots, IdleConnTimeout: time.Minute,
			MaxResponseHeaderBytes: maxAnswer, TLSHandshakeTimeout: timeout,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// send posts a message once. Its error never holds the address.
func (s *sender) send(ctx context.Context, m *Message, now time.Time) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, http.NoBody)
	if err != nil {
		return errors.New("the address is invalid")
	}
	body, err := s.write(ctx, request, m.from(s.cluster))
	if err != nil {
		return err
	}
	for name, values := range s.header {
		request.Header[name] = values
	}
	if s.key != nil {
		sign(request.Header, s.key, m.ID, now, body)
	}
	response, err := s.client.Do(request)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // else it would tell the address
		}
		return fmt.Errorf("it cannot be reached: %w", err)
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, maxAnswer)
	switch code := response.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code >= 300 && code < 400:
		return fmt.Errorf("it responded with redirect %d, which is not followed: change the address to its destination", code)
	default:
		return fmt.Errorf("it responded with %d %s", code, http.StatusText(code))
	}
}

// write gives a request its body.
func (s *sender) write(ctx context.Context, request *http.Request, m *Message) (body []byte, err error) {
	if s.template != nil {
		if body, err = execute(s.template, s.contentType, m); err != nil {
			return nil, fmt.Errorf("spec.template.body: %w", err)
		}
		request.Header.Set("Content-Type", s.contentType)
		setBody(request, body)
		return body, nil
	}
	e := event.New()
	e.SetID(m.ID)
	e.SetType(m.EventType)
	e.SetSource(m.Source)
	e.SetSubject(m.Subject)
	e.SetDataSchema(SchemaURI)
	if at, err := time.Parse(time.RFC3339, m.Time); err == nil {
		e.SetTime(at)
	}
	if err := e.SetData(event.ApplicationJSON, m); err != nil {
		return nil, err
	}
	if s.mode == v1alpha1.CloudEventsBinary {
		ctx = binding.WithForceBinary(ctx)
	} else {
		ctx = binding.WithForceStructured(ctx)
	}
	if err := cehttp.WriteRequest(ctx, binding.ToMessage(&e), request); err != nil {
		return nil, err
	}
	if body, err = io.ReadAll(request.Body); err != nil {
		return nil, err
	}
	setBody(request, body)
	return body, nil
}

func setBody(request *http.Request, body []byte) {
	request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
}
