package optionalcache

import (
	"context"
	"errors"
	"net/url"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
)

// However long the API server did not answer, it is asked within two seconds after it is back.
func TestALongOutageIsSeenToEndAtOnce(t *testing.T) {
	for name, down := range map[string]error{
		"refused":  &url.Error{Op: "Get", URL: "https://10.96.0.1/api/v1/pods", Err: syscall.ECONNREFUSED},
		"no etcd":  apierrors.NewInternalError(errors.New("etcdserver: request timed out")),
		"too busy": apierrors.NewTooManyRequestsError("later"),
	} {
		for _, outage := range []time.Duration{25 * time.Second, 10 * time.Minute} {
			t.Run(name+" for "+outage.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, stop := context.WithCancel(t.Context())
					defer stop()
					c, up := &caches{}, &atomic.Bool{}
					informer := c.newInformer(podsOf(up, down), &corev1.Pod{}, 0, toolscache.Indexers{})
					go informer.RunWithContext(ctx)
					time.Sleep(outage)
					if _, told := c.failed.Load("*v1.Pod"); !told || informer.HasSynced() {
						t.Fatalf("synced: %t; remembers why not: %t", informer.HasSynced(), told)
					}
					up.Store(true)
					time.Sleep(2 * time.Second)
					synctest.Wait()
					if !informer.HasSynced() {
						t.Error("the API server has been back for two seconds, and was not asked")
					}
				})
			})
		}
	}
}

// A refusal is an answer: the informer has its own pauses for that, and who reads from it is told.
func TestARefusalIsAnAnswer(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	for _, err := range []error{
		apierrors.NewForbidden(pods, "", errors.New("no")), apierrors.NewUnauthorized("no"), apierrors.NewResourceExpired("too old"),
		apierrors.NewNotFound(pods, ""), errors.New("cannot be decoded"),
	} {
		asked := 0
		_, got := ask(t.Context(), &caches{}, "*v1.Pod", func() (int, error) { asked++; return 0, err })
		if asked != 1 || !errors.Is(got, err) {
			t.Errorf("%v: asked %d times, and then: %v", err, asked, got)
		}
	}
}

// podsOf lists and watches no pods, once the API server is up.
func podsOf(up *atomic.Bool, down error) *toolscache.ListWatch {
	return &toolscache.ListWatch{
		ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
			if !up.Load() {
				return nil, down
			}
			return &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}, nil
		},
		WatchFuncWithContext: func(_ context.Context, options metav1.ListOptions) (watch.Interface, error) {
			switch {
			case !up.Load():
				return nil, down
			case options.SendInitialEvents != nil:
				return nil, apierrors.NewBadRequest("no streaming lists")
			default:
				return watch.NewFake(), nil
			}
		},
	}
}
