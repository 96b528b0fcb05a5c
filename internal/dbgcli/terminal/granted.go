package terminal

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// How long an API server may take to know of a RoleBinding that it has stored, and how soon it is asked again: its authorizer learns of
// them by a watch. Each of several API servers has its own.
const (
	grantLag   = 3 * time.Second
	firstPause = 20 * time.Millisecond
	mostPause  = 320 * time.Millisecond
)

// onceGranted does what a session gives the right to. As long as that is forbidden, it is tried again for a moment: the right is as new as
// the session.
func onceGranted(ctx context.Context, do func() error) error {
	deadline := time.Now().Add(grantLag)
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		err := do()
		if !apierrors.IsForbidden(err) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}
