// Package condensedcache has the cache hold sessions that have ended, and rest, as condensed copies, and keeps the copies from being taken
// for the sessions: who gets one by the manager's client is given the session from the API server, and who writes one is refused.
//
// The few readers that need no more than a copy has read the cache itself. Lists return copies, too: Condense says what is in them.
package condensedcache

import (
	"context"
	"fmt"

	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/plan"
)

// Transform condenses sessions that rest before they are cached. A session stays whole for as long as pending reports that somebody other
// than the planner has yet to do something about it. What it returns may be transformed again, to the same effect.
func Transform(pending func(*v1alpha1.DebugSession) bool) toolscache.TransformFunc {
	strip := cache.TransformStripManagedFields()
	return func(object any) (any, error) {
		session, ok := object.(*v1alpha1.DebugSession)
		switch {
		case ok && plan.Condensed(session):
			return session, nil
		case ok && plan.Rests(session) && !pending(session):
			return Condense(session), nil
		default:
			return strip(object)
		}
	}
}

// NewClient makes the manager's client. It takes the place of client.New.
func NewClient(config *rest.Config, options client.Options) (client.Client, error) {
	cached, err := client.New(config, options)
	if err != nil {
		return nil, err
	}
	options.Cache = nil
	live, err := client.New(config, options)
	if err != nil {
		return nil, err
	}
	return Wrap(cached, live), nil
}

// Wrap has a client that reads from the cache never give a condensed copy for a session, nor write one.
func Wrap(cached client.Client, live client.Reader) client.Client {
	return &wholeClient{Client: cached, live: live}
}

type wholeClient struct {
	client.Client
	live client.Reader
}

// Get reads from the cache, and a session that is condensed there from the API server.
func (c *wholeClient) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if err := c.Client.Get(ctx, key, object, options...); err != nil {
		return err
	}
	session, ok := object.(*v1alpha1.DebugSession)
	if !ok || !plan.Condensed(session) {
		return nil
	}
	*session = v1alpha1.DebugSession{}
	return c.live.Get(ctx, key, session, options...)
}

func (c *wholeClient) Create(ctx context.Context, object client.Object, options ...client.CreateOption) error {
	if err := refuse(object); err != nil {
		return err
	}
	return c.Client.Create(ctx, object, options...)
}

func (c *wholeClient) Update(ctx context.Context, object client.Object, options ...client.UpdateOption) error {
	if err := refuse(object); err != nil {
		return err
	}
	return c.Client.Update(ctx, object, options...)
}

func (c *wholeClient) Patch(ctx context.Context, object client.Object, patch client.Patch, options ...client.PatchOption) error {
	if err := refuse(object); err != nil {
		return err
	}
	return c.Client.Patch(ctx, object, patch, options...)
}

func (c *wholeClient) Status() client.SubResourceWriter { return c.SubResource("status") }

func (c *wholeClient) SubResource(name string) client.SubResourceClient {
	return &wholeSubResource{c.Client.SubResource(name)}
}

type wholeSubResource struct{ client.SubResourceClient }

func (c *wholeSubResource) Update(ctx context.Context, object client.Object, options ...client.SubResourceUpdateOption) error {
	if err := refuse(object); err != nil {
		return err
	}
	return c.SubResourceClient.Update(ctx, object, options...)
}

func (c *wholeSubResource) Patch(ctx context.Context, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
	if err := refuse(object); err != nil {
		return err
	}
	return c.SubResourceClient.Patch(ctx, object, patch, options...)
}

func refuse(object client.Object) error {
	if session, ok := object.(*v1alpha1.DebugSession); ok && plan.Condensed(session) {
		return fmt.Errorf("the operator tried to write DebugSession %s from its condensed copy in the cache: fields would be lost; report this as a bug",
			client.ObjectKeyFromObject(session))
	}
	return nil
}
