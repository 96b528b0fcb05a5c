package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// foreseen is how many sessions are validated with a look at their target, and as many without.
const foreseen = 100

// measureWarnings times the webhook that validates sessions, as the API server calls it, with and without what it warns of: a session
// whose class is not there is let in without a look at its target. What the API server asks and is asked for besides is left out.
func (b *bench) measureWarnings(ctx context.Context, namespace string, requester client.Client, stamp *v1alpha1.Identity) error {
	if err := makePod(ctx, b.cluster.client, newPod(namespace, "target")); err != nil {
		return err
	}
	hook := validator{
		url:  fmt.Sprintf("https://localhost:%d/validate/debugsessions", b.cluster.installed.webhookPort),
		http: http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}, // it is on this machine
		user: authenticationv1.UserInfo{Username: stamp.Username, UID: stamp.UID, Groups: stamp.Groups},
	}
	reviews := map[string][]byte{}
	for class, pod := range map[string]string{"": "target", "none": "target", "standard": "missing"} {
		session := newSession(namespace, "foreseen", pod)
		session.Spec.ClassName = class
		if err := requester.Create(ctx, session, client.DryRunAll); err != nil { // which seals it
			return err
		}
		var err error
		if reviews[class], err = hook.review(session); err != nil {
			return err
		}
	}
	took := map[string][]time.Duration{}
	const warmup = 10
	for i := range warmup + foreseen {
		for _, class := range []string{"", "none"} {
			began := time.Now()
			if _, err := hook.warnings(ctx, reviews[class]); err != nil {
				return err
			}
			if i >= warmup {
				took[class] = append(took[class], time.Since(began))
			}
		}
	}
	if warnings, err := hook.warnings(ctx, reviews["standard"]); err != nil || len(warnings) == 0 {
		return fmt.Errorf("nothing is said of a pod that is not there, so targets are not looked at: %w", err)
	}
	b.result.Admission.Warnings = &warnings{With: quantilesOf(took[""]), Without: quantilesOf(took["none"])}
	return nil
}

// validator is the webhook that validates sessions.
type validator struct {
	url  string
	http http.Client
	user authenticationv1.UserInfo
}

// review is what the API server sends for the creation of a session.
func (v *validator) review(session *v1alpha1.DebugSession) ([]byte, error) {
	raw, err := json.Marshal(session)
	if err != nil {
		return nil, err
	}
	return json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "bench", Operation: admissionv1.Create, Namespace: session.Namespace, Name: session.Name, UserInfo: v.user, Object: runtime.RawExtension{Raw: raw},
		},
	})
}

// warnings are what it warns of in what it lets in.
func (v *validator) warnings(ctx context.Context, review []byte) ([]string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, v.url, bytes.NewReader(review))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := v.http.Do(request)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	var answer admissionv1.AdmissionReview
	if err := json.Unmarshal(content, &answer); err != nil {
		return nil, err
	}
	if answer.Response == nil || !answer.Response.Allowed {
		return nil, fmt.Errorf("a session is refused that is as it should be: %s", content)
	}
	return answer.Response.Warnings, nil
}
