package sessions

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"debugsession.dev/operator/api/v1alpha1"
)

// News is what becomes known of a session: how it stands, or that nothing can be known for now, or that it is no more.
type News struct {
	Session *v1alpha1.DebugSession
	Err     error // of the last try; it is tried again
	Gone    bool
}

// retryAfter is how long an API server that does not answer is left alone.
const retryAfter = time.Second

// Follow sends news of one session, from how it is at first, until the context ends. It outlasts lost connections and an API
// server that is away. A session of the same name but another UID is not this one.
func (c *Client) Follow(ctx context.Context, first *v1alpha1.DebugSession) <-chan News {
	news := make(chan News)
	f := follower{c.Sessions(first.Namespace), first.Name, first.UID, news}
	go func() {
		defer close(news)
		session := first
		for ctx.Err() == nil {
			if session != nil && !f.send(ctx, News{Session: session}) {
				return
			}
			if session != nil && !f.watch(ctx, session.ResourceVersion) {
				return
			}
			session = f.read(ctx)
		}
	}()
	return news
}

type follower struct {
	sessions *Sessions
	name     string
	uid      types.UID
	news     chan<- News
}

func (f *follower) send(ctx context.Context, news News) bool {
	select {
	case f.news <- news:
		return !news.Gone
	case <-ctx.Done():
		return false
	}
}

// read is the session as it is now; nil, after a while, if that cannot be known.
func (f *follower) read(ctx context.Context) *v1alpha1.DebugSession {
	session, err := f.sessions.Get(ctx, f.name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) || err == nil && session.UID != f.uid:
		f.send(ctx, News{Gone: true})
		<-ctx.Done()
		return nil
	case err != nil:
		f.send(ctx, News{Err: err})
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
		}
		return nil
	}
	return session
}

// watch sends changes until the watch ends; false means that nothing more will come.
func (f *follower) watch(ctx context.Context, since string) bool {
	watching, err := f.sessions.Watch(ctx, metav1.ListOptions{
		FieldSelector:   fields.OneTermEqualSelector("metadata.name", f.name).String(),
		ResourceVersion: since,
	})
	if err != nil { // as for somebody who may read one session and watch none: it is read again and again
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
		}
		return true
	}
	defer watching.Stop()
	for event := range watching.ResultChan() {
		session, ok := event.Object.(*v1alpha1.DebugSession)
		switch {
		case !ok:
			return true // an error, such as a version that is too old
		case event.Type == watch.Deleted || session.UID != f.uid:
			return f.send(ctx, News{Gone: true})
		case !f.send(ctx, News{Session: session}):
			return false
		}
	}
	return true
}
