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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	restclient "k8s.io/client-go/rest"

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
	if err := makeNamespace(ctx, b.cluster.client, recordedNamespace, nil); err != nil {
		return nil, err
	}
	pod, session := newPod(recordedNamespace, "target-00"), newSession(recordedNamespace, name, "target-00")
	if err := b.cluster.client.Create(ctx, pod); err != nil {
		return nil, err
	}
	mark, err := b.cluster.audit.mark()
	if err != nil {
		return nil, err
	}
	sessions, err := followSessions(ctx, b.cluster, recordedNamespace)
	if err != nil {
		return nil, err
	}
	defer sessions.stop()
	requester, err := b.cluster.clientOf(b.cluster.requester)
	if err != nil {
		return nil, err
	}
	if err := requester.Create(ctx, session); err != nil {
		return nil, err
	}
	if _, err := sessions.await(ctx, stands{name, v1alpha1.PhaseActive}); err != nil {
		return nil, err
	}
	if err := rest(ctx, lateness); err != nil { // for the events
		return nil, err
	}
	if err := b.cluster.client.Get(ctx, types.NamespacedName{Namespace: recordedNamespace, Name: name}, session); err != nil {
		return nil, err
	}
	writes, err := b.cluster.audit.since(mark, func(r *request) bool {
		return r.byOperator() && r.changes() && r.ObjectRef.Namespace == recordedNamespace
	})
	if err != nil {
		return nil, err
	}
	if len(writes) == 0 {
		return nil, errors.New("the audit log has none")
	}
	slices.SortStableFunc(writes, func(a, b request) int { return a.RequestReceivedTimestamp.Compare(b.RequestReceivedTimestamp) })
	return &script{session, pod, writes}, endAll(ctx, b, recordedNamespace)
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
	replace := strings.NewReplacer(
		string(s.session.UID), string(session.UID),
		string(s.pod.UID), string(pod.UID),
		s.session.Name, session.Name,
		s.pod.Name, pod.Name,
		recordedNamespace, session.Namespace,
		debugpod.AccessName(s.session.UID), debugpod.AccessName(session.UID),
		debugpod.ContainerName(s.session.UID), debugpod.ContainerName(session.UID),
	)
	version := session.ResourceVersion
	for i := range s.writes {
		w := &s.writes[i]
		body := resourceVersion.ReplaceAllString(replace.Replace(string(w.RequestObject)), `"resourceVersion":"`+version+`"`)
		answer, err := sender.Verb(methods[w.Verb]).RequestURI(replace.Replace(w.RequestURI)).
			SetHeader("Content-Type", contentType(w)).Body([]byte(body)).Do(ctx).Raw()
		if err != nil {
			return fmt.Errorf("%s for %s: %w", w.what(), session.Name, err)
		}
		if w.ObjectRef.Resource == "debugsessions" {
			var written metav1.PartialObjectMetadata
			if err := json.Unmarshal(answer, &written); err != nil {
				return err
			}
			version = written.ResourceVersion
		}
	}
	return nil
}

var methods = map[string]string{
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
