package debugsession

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
)

func TestWhatFailsForLongIsTriedAgainSoon(t *testing.T) {
	pauses := (&Reconciler{}).options().RateLimiter
	named := func(i int) ctrl.Request {
		return ctrl.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: fmt.Sprint("hang-", i)}}
	}
	for try := range 30 {
		for i := range 1000 {
			if pause := pauses.When(named(i)); pause > time.Minute {
				t.Fatalf("try %d comes after %s", try, pause)
			}
		}
	}
	if pause := pauses.When(named(1000)); pause > time.Second {
		t.Errorf("while a thousand others fail, what failed once is tried again after %s", pause)
	}
}
