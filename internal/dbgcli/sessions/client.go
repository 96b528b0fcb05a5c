// Package sessions reads and writes DebugSessions, their classes and approvals, with the rights of whoever runs it.
package sessions

import (
	"context"
	"encoding/json"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/gentype"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/dbgcli/manifest"
)

// Client reaches the API server without asking first what it serves.
type Client struct {
	Kubernetes kubernetes.Interface
	group      rest.Interface
	codec      runtime.ParameterCodec
}

type (
	// Sessions is the typed client of DebugSessions.
	Sessions = gentype.ClientWithList[*v1alpha1.DebugSession, *v1alpha1.DebugSessionList]

	// Classes is the typed client of DebugClasses.
	Classes = gentype.ClientWithList[*v1alpha1.DebugClass, *v1alpha1.DebugClassList]

	// Approvals is the typed client of DebugApprovals.
	Approvals = gentype.ClientWithList[*v1alpha1.DebugApproval, *v1alpha1.DebugApprovalList]
)

// New makes a client of a cluster.
func New(config *rest.Config) (*Client, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	metav1.AddToGroupVersion(scheme, v1alpha1.GroupVersion)
	ours := rest.CopyConfig(config)
	ours.GroupVersion, ours.APIPath = &v1alpha1.GroupVersion, "/apis"
	ours.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	group, err := rest.RESTClientFor(ours)
	if err != nil {
		return nil, err
	}
	core, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &Client{core, group, runtime.NewParameterCodec(scheme)}, nil
}

// Sessions are the sessions of a namespace; of all namespaces, if it is empty.
func (c *Client) Sessions(namespace string) *Sessions {
	return gentype.NewClientWithList("debugsessions", c.group, c.codec, namespace,
		func() *v1alpha1.DebugSession { return &v1alpha1.DebugSession{} },
		func() *v1alpha1.DebugSessionList { return &v1alpha1.DebugSessionList{} })
}

// Classes are the cluster's classes.
func (c *Client) Classes() *Classes {
	return gentype.NewClientWithList("debugclasses", c.group, c.codec, "",
		func() *v1alpha1.DebugClass { return &v1alpha1.DebugClass{} },
		func() *v1alpha1.DebugClassList { return &v1alpha1.DebugClassList{} })
}

// Approvals are the approvals of a namespace.
func (c *Client) Approvals(namespace string) *Approvals {
	return gentype.NewClientWithList("debugapprovals", c.group, c.codec, namespace,
		func() *v1alpha1.DebugApproval { return &v1alpha1.DebugApproval{} },
		func() *v1alpha1.DebugApprovalList { return &v1alpha1.DebugApprovalList{} })
}

// CreateSession creates a session as a person would have written it.
func (c *Client) CreateSession(ctx context.Context, session *v1alpha1.DebugSession, options metav1.CreateOptions) (*v1alpha1.DebugSession, error) {
	created := &v1alpha1.DebugSession{}
	return created, c.create(ctx, session.Namespace, "debugsessions", session, &options, created)
}

// CreateApproval creates an approval as a person would have written it.
func (c *Client) CreateApproval(ctx context.Context, approval *v1alpha1.DebugApproval, options metav1.CreateOptions) (*v1alpha1.DebugApproval, error) {
	created := &v1alpha1.DebugApproval{}
	return created, c.create(ctx, approval.Namespace, "debugapprovals", approval, &options, created)
}

func (c *Client) create(ctx context.Context, namespace, resource string, object runtime.Object, options *metav1.CreateOptions, created runtime.Object) error {
	fields, err := manifest.New(object)
	if err != nil {
		return err
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	return c.group.Post().Namespace(namespace).Resource(resource).VersionedParams(options, c.codec).
		SetHeader("Content-Type", runtime.ContentTypeJSON).Body(body).Do(ctx).Into(created)
}

// Me is who the API server takes the caller for.
func (c *Client) Me(ctx context.Context) (*authenticationv1.UserInfo, error) {
	review, err := c.Kubernetes.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("cannot determine who you are: %w", err)
	}
	return &review.Status.UserInfo, nil
}
