package faults

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
)

// version is an object as the API server had it from that revision on. Revisions are of the whole store: they put the
// versions of different objects in order.
type version struct {
	revision uint64
	gone     bool
	object   client.Object
}

// history is every version of every object that matters, as a watch of the test's own has seen them.
type history struct {
	mu       sync.Mutex
	versions map[string][]version // by namespace and resource, in order
}

var followed = map[string]func() client.ObjectList{
	"debugsessions":  func() client.ObjectList { return &v1alpha1.DebugSessionList{} },
	"debugapprovals": func() client.ObjectList { return &v1alpha1.DebugApprovalList{} },
	"pods":           func() client.ObjectList { return &corev1.PodList{} },
	"roles":          func() client.ObjectList { return &rbacv1.RoleList{} },
	"rolebindings":   func() client.ObjectList { return &rbacv1.RoleBindingList{} },

	"networkpolicies": func() client.ObjectList { return &networkingv1.NetworkPolicyList{} },
}

// follow begins to write history. saw is told of every version of a pod.
func follow(ctx context.Context, c client.WithWatch, saw func(*corev1.Pod)) (*history, error) {
	h := &history{versions: map[string][]version{}}
	for resource, list := range followed {
		events, err := c.Watch(ctx, list())
		if err != nil {
			return nil, fmt.Errorf("watching %s: %w", resource, err)
		}
		go func() {
			for last := ""; ; { // an API server that has much to do closes watches: the next goes on where it ended
				last = h.read(ctx, resource, events, last, saw)
				events, err = c.Watch(ctx, list(), &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: last}})
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					panic(fmt.Sprintf("the test's own watch of %s cannot go on: %v", resource, err))
				}
			}
		}()
	}
	return h, nil
}

// read writes what a watch tells until it ends, and returns the resource version that it has come to.
func (h *history) read(ctx context.Context, resource string, events watch.Interface, last string, saw func(*corev1.Pod)) string {
	defer events.Stop()
	for event := range events.ResultChan() {
		object, ok := event.Object.(client.Object)
		if !ok && ctx.Err() != nil {
			return last
		}
		if !ok {
			panic(fmt.Sprintf("the test's own watch of %s broke: %v", resource, event.Object))
		}
		last = object.GetResourceVersion()
		h.add(resource, object, event.Type == watch.Deleted)
		if pod, isPod := object.(*corev1.Pod); isPod && event.Type != watch.Deleted {
			go saw(pod)
		}
	}
	return last
}

func (h *history) add(resource string, object client.Object, gone bool) {
	revision, err := strconv.ParseUint(object.GetResourceVersion(), 10, 64)
	if err != nil {
		panic(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	key := object.GetNamespace() + "/" + resource
	h.versions[key] = append(h.versions[key], version{revision, gone, object})
}

func (h *history) of(namespace, resource string) []version {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.versions[namespace+"/"+resource])
}

func (h *history) forget(namespace string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for resource := range followed {
		delete(h.versions, namespace+"/"+resource)
	}
}

// previous is the version of an object before the present one, or the last if that is gone (present is empty); nil if there is none. It waits
// until the present one was seen.
func (h *history) previous(ctx context.Context, namespace, resource, name, present string) (client.Object, error) {
	if followed[resource] == nil {
		return nil, nil
	}
	for ; ; time.Sleep(time.Millisecond) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		versions := slices.DeleteFunc(h.of(namespace, resource), func(v version) bool { return v.object.GetName() != name })
		at := slices.IndexFunc(versions, func(v version) bool { return v.object.GetResourceVersion() == present })
		switch {
		case present == "" && len(versions) > 1:
			return versions[len(versions)-2].object, nil
		case present == "" || at == 0:
			return nil, nil
		case at > 0:
			return versions[at-1].object, nil
		}
	}
}

// before is the revision of the session's last version but one, or of its first.
func (h *history) before(namespace string) string {
	versions := h.of(namespace, "debugsessions")
	if len(versions) == 0 {
		return ""
	}
	return versions[max(0, len(versions)-2)].object.GetResourceVersion()
}

// uids are the distinct objects among versions.
func uids(versions []version) []types.UID {
	var all []types.UID
	for _, v := range versions {
		if !slices.Contains(all, v.object.GetUID()) {
			all = append(all, v.object.GetUID())
		}
	}
	return all
}
