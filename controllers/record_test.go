package controllers

import (
	"context"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/fixture"
	"debugsession.dev/operator/internal/plan"
)

// A tool that has taken a record over applies it again when it is gone: the session would start anew.
func TestARecordThatHasChangedIsNotDeleted(t *testing.T) {
	stored := fixture.Session()
	server := served(t, stored)
	seen := &v1alpha1.DebugSession{}
	if err := server.Get(context.Background(), client.ObjectKeyFromObject(stored), seen); err != nil {
		t.Fatal(err)
	}
	taken := seen.DeepCopy()
	taken.Labels = map[string]string{"argocd.argoproj.io/instance": "shop"}
	if err := server.Update(context.Background(), taken); err != nil {
		t.Fatal(err)
	}
	r := &DebugSessionReconciler{Client: server}
	remove := func(session *v1alpha1.DebugSession) error {
		return r.deleteRecord(context.Background(), session, plan.DeleteSession{UID: session.UID})
	}
	if err := remove(seen); err != nil {
		t.Errorf("fails with %v, although the watch is about to tell of the change", err)
	}
	if err := server.Get(context.Background(), client.ObjectKeyFromObject(stored), &v1alpha1.DebugSession{}); err != nil {
		t.Fatalf("deleted: %v", err)
	}
	if err := remove(taken); err != nil {
		t.Fatal(err)
	}
	if err := server.Get(context.Background(), client.ObjectKeyFromObject(stored), &v1alpha1.DebugSession{}); err == nil {
		t.Error("what has not changed is not deleted")
	}
}
