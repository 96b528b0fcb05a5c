// Package sessioninformer follows sessions by an informer.
package sessioninformer

import (
	"context"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"debugsession.dev/operator/api/v1alpha1"
)

// Handler has look see each session that there is and each that changes, and lost each that is deleted, as it was last known.
func Handler(look, lost func(*v1alpha1.DebugSession)) toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { look(object.(*v1alpha1.DebugSession)) },
		UpdateFunc: func(_, now any) { look(now.(*v1alpha1.DebugSession)) },
		DeleteFunc: func(object any) {
			if last, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
				object = last.Obj
			}
			lost(object.(*v1alpha1.DebugSession))
		},
	}
}

// Follow has look and lost see sessions, as Handler does, for as long as work goes on.
func Follow(ctx context.Context, sessions cache.Cache, look, lost func(*v1alpha1.DebugSession), work func()) error {
	informer, err := sessions.GetInformer(ctx, &v1alpha1.DebugSession{})
	if err != nil {
		return err
	}
	registration, err := informer.AddEventHandler(Handler(look, lost))
	if err != nil {
		return err
	}
	work()
	return informer.RemoveEventHandler(registration)
}
