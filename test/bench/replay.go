package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	restclient "k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// script is every write that the operator made for one session until it was active, as the API server received it: the same
// verbs, objects and sizes, also when the operator comes to make others.
type script struct {
	session *v1alpha1.DebugSession
	pod     *corev1.Pod
	writes  []request
}

// record has the operator serve a session in the namespace whose requests are kept with their bodies.
func record(ctx context.Context, b *bench) (*script, error) {
	const name = "recording-one" // as long as the names of the sessions that are played
	pod, session := newPod(recordedNamespace, "target-00"), newSession(recordedNamespace, name, "target-00")
	began, sessions, err := serve(ctx, b, session, pod)
	if err != nil {
		return nil, err
	}
	defer sessions.stop()
	if _, err := sessions.await(ctx, stands{name, v1alpha1.PhaseActive}); err != nil {
		return nil, err
	}
	if err := rest(ctx, lateness); err != nil { // for the events
		return nil, err
	}
	if err := b.cluster.client.Get(ctx, client.ObjectKeyFromObject(session), session); err != nil {
		return nil, err
	}
	writes, err := recorded(b, began, (*request).changes)
	if err != nil {
		return nil, err
	}
	return &script{session, pod, writes}, endAll(ctx, b, recordedNamespace)
}

// serve creates a session with its pod in the recorded namespace, and returns where its requests begin in the audit log.
func serve(ctx context.Context, b *bench, session *v1alpha1.DebugSession, pod *corev1.Pod) (mark int64, sessions *follower[stands], err error) {
	if err := client.IgnoreAlreadyExists(makeNamespace(ctx, b.cluster.client, recordedNamespace, nil)); err != nil {
		return 0, nil, err
	}
	if err := makePod(ctx, b.cluster.client, pod); err != nil {
		return 0, nil, err
	}
	requester, err := b.cluster.clientOf(b.cluster.requester)
	if err != nil {
		return 0, nil, err
	}
	if mark, err = b.cluster.audit.mark(); err != nil {
		return 0, nil, err
	}
	if sessions, err = followSessions(ctx, b.cluster, recordedNamespace); err != nil {
		return 0, nil, err
	}
	return mark, sessions, requester.Create(ctx, session)
}

// recorded are the operator's requests in the recorded namespace since the mark that are wanted, in the order in which they came.
func recorded(b *bench, mark int64, wanted func(*request) bool) ([]request, error) {
	requests, err := b.cluster.audit.since(mark, func(r *request) bool {
		return r.byOperator() && wanted(r) && r.ObjectRef.Namespace == recordedNamespace
	})
	if err != nil {
		return nil, err
	}
	if len(requests) == 0 {
		return nil, errors.New("the audit log has none")
	}
	slices.SortStableFunc(requests, func(a, b request) int { return a.RequestReceivedTimestamp.Compare(b.RequestReceivedTimestamp) })
	return requests, nil
}

func (s *script) describe() []string {
	var all []string
	for i := range s.writes {
		all = append(all, fmt.Sprintf("%s, %d bytes", s.writes[i].what(), len(s.writes[i].RequestObject)))
	}
	return all
}

var resourceVersion = regexp.MustCompile(`"resourceVersion":"\d+"`)

// play makes the recorded writes for another session, one after the other, as soon as the one before was answered.
func (s *script) play(ctx context.Context, sender *restclient.RESTClient, session *v1alpha1.DebugSession, pod *corev1.Pod) error {
	return s.part(session, pod).play(ctx, sender, s.writes)
}

// part is another session in the place of the recorded one.
type part struct {
	names   []string // of the recorded and of the other, in turn
	version string
	// copied is the UID of the recorded copy.
	copied types.UID
}

func (s *script) part(session *v1alpha1.DebugSession, pod *corev1.Pod, more ...string) *part {
	return &part{version: session.ResourceVersion, names: append([]string{
		string(s.session.UID), string(session.UID),
		string(s.pod.UID), string(pod.UID),
		debugpod.CopyName(s.pod.Name, s.session.UID), debugpod.CopyName(pod.Name, session.UID),
		s.session.Name, session.Name,
		s.pod.Name, pod.Name,
		recordedNamespace, session.Namespace,
		debugpod.AccessName(s.session.UID), debugpod.AccessName(session.UID),
		debugpod.ContainerName(s.session.UID), debugpod.ContainerName(session.UID),
	}, more...)}
}

// play makes some of the recorded requests. That what is read or deleted is gone already is an answer like another.
func (p *part) play(ctx context.Context, sender *restclient.RESTClient, requests []request) error {
	replace := strings.NewReplacer(p.names...)
	for i := range requests {
		r := &requests[i]
		body := resourceVersion.ReplaceAllString(replace.Replace(string(r.RequestObject)), `"resourceVersion":"`+p.version+`"`)
		answer, err := sender.Verb(methods[r.Verb]).RequestURI(replace.Replace(r.RequestURI)).
			SetHeader("Content-Type", contentType(r)).Body([]byte(body)).Do(ctx).Raw()
		if apierrors.IsNotFound(err) && (r.Verb == "get" || r.Verb == "delete") {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", r.what(), err)
		}
		if r.Verb == "delete" || r.ObjectRef.Resource != "debugsessions" && r.what() != "create pods" {
			continue
		}
		var written metav1.PartialObjectMetadata
		if err := json.Unmarshal(answer, &written); err != nil {
			return err
		}
		if r.ObjectRef.Resource == "debugsessions" {
			p.version = written.ResourceVersion
		} else {
			p.names = append(p.names, string(p.copied), string(written.UID))
			replace = strings.NewReplacer(p.names...)
		}
	}
	return nil
}

var methods = map[string]string{
	"get":    http.MethodGet,
	"create": http.MethodPost, "update": http.MethodPut, "patch": http.MethodPatch, "delete": http.MethodDelete,
}

// contentType is what the audit log does not say of a body.
func contentType(r *request) string {
	switch {
	case r.Verb != "patch":
		return "application/json"
	case r.ObjectRef.Subresource == "ephemeralcontainers":
		return string(types.StrategicMergePatchType)
	case strings.Contains(r.RequestURI, "fieldManager=") && strings.Contains(r.RequestURI, "force="):
		return string(types.ApplyYAMLPatchType)
	case strings.HasPrefix(string(r.RequestObject), "["):
		return string(types.JSONPatchType)
	default:
		return string(types.MergePatchType)
	}
}

// newSender returns a client that acts as the operator does, so that the API server spends as much on its rights. Only the
// user agent tells the two apart.
func newSender(c *cluster) (*restclient.RESTClient, error) {
	config := restclient.CopyConfig(c.operator)
	config.UserAgent = rawAgent
	config.GroupVersion = &schema.GroupVersion{}
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	return restclient.UnversionedRESTClientFor(config)
}
