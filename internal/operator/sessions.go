package operator

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

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

// sessions lists what the leader's cache holds, without copying it: what is returned must not be changed.
func sessions(mgr manager.Manager) func() ([]v1alpha1.DebugSession, error) {
	return func() ([]v1alpha1.DebugSession, error) {
		select {
		case <-mgr.Elected():
		default:
			return nil, errNotLeader // or every replica would report them
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		list := &v1alpha1.DebugSessionList{}
		err := mgr.GetCache().List(ctx, list, client.UnsafeDisableDeepCopy)
		return list.Items, err
	}
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
