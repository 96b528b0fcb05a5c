package operator

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"debugsession.dev/operator/api/v1alpha1"
)

// patience is how long a scrape or a probe waits for the cache.
const patience = 2 * time.Second

var (
	errNotLeader = errors.New("another replica leads, and counts the sessions")
	errNotSynced = errors.New("the caches are not synced yet")
)

// sessions are what the leader's cache holds: what is returned must not be changed. The cache's own List would copy each session into a list,
// which at each scrape would be garbage as large as the cache.
func sessions(mgr manager.Manager) func() ([]*v1alpha1.DebugSession, error) {
	return func() ([]*v1alpha1.DebugSession, error) {
		select {
		case <-mgr.Elected():
		default:
			return nil, errNotLeader // or every replica would report them
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		informer, err := mgr.GetCache().GetInformer(ctx, &v1alpha1.DebugSession{})
		if err != nil {
			return nil, err
		}
		whole, one := informer.(toolscache.SharedInformer)
		if !one { // the cache is of some namespaces, and has an informer for each
			list := &v1alpha1.DebugSessionList{}
			err := mgr.GetCache().List(ctx, list, client.UnsafeDisableDeepCopy)
			return pointers(list.Items), err
		}
		held := whole.GetStore().List()
		sessions := make([]*v1alpha1.DebugSession, len(held))
		for i := range held {
			sessions[i] = held[i].(*v1alpha1.DebugSession)
		}
		return sessions, nil
	}
}

func pointers[T any](items []T) []*T {
	all := make([]*T, len(items))
	for i := range items {
		all[i] = &items[i]
	}
	return all
}

// unfinishedWork is what others than the planner have yet to do about a session that has ended. It is complete before the manager starts, and
// with it the cache.
type unfinishedWork struct {
	of []func(*v1alpha1.DebugSession) bool
}

func (u *unfinishedWork) pending(session *v1alpha1.DebugSession) bool {
	return slices.ContainsFunc(u.of, func(pending func(*v1alpha1.DebugSession) bool) bool { return pending(session) })
}

func cachesSynced(mgr manager.Manager) healthz.Checker {
	return func(req *http.Request) error {
		ctx, cancel := context.WithTimeout(req.Context(), patience)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errNotSynced
		}
		return nil
	}
}
