package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/approval"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/fakekubelet"
	"debugsession.dev/operator/internal/plan"
)

// sessionSeconds is how long a copy has left when it is made.
const sessionSeconds = 3600

// admitted is when sessions are admitted, and their copies made: any moment will do.
var admitted = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// rejected is the operator's refusal of a session.
type rejected struct{ message string }

func (r *rejected) Error() string { return r.message }

// decide has the operator's planner decide about a session until there is an action that makes the debugger. What the
// planner asks is answered as in a cluster with a class that allows everything.
func decide(session *v1alpha1.DebugSession, target *corev1.Pod, node *corev1.Node) (plan.Action, error) {
	session.Finalizers = []string{v1alpha1.Finalizer}
	session.Spec.ClassName, session.Spec.Requester = "everything", &v1alpha1.Identity{Username: "conformance"}
	for range 3 { // it records first, and makes what was recorded
		_, p, err := plan.Run(plan.Snapshot{Session: session, Now: admitted}, func(s *plan.Snapshot, q plan.Question) error {
			return answer(s, q, target, node)
		})
		if err != nil {
			return nil, err
		}
		session.Status = p.Status
		for _, action := range p.Actions {
			switch action.(type) {
			case plan.InjectDebugger, plan.CreatePod:
				return action, nil
			}
		}
		if ended := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionEnded); ended != nil {
			return nil, &rejected{ended.Message}
		}
	}
	return nil, fmt.Errorf("the session stands at %s (%s), and nothing is made", session.Status.Phase, session.Status.Reason)
}

func answer(s *plan.Snapshot, question plan.Question, target *corev1.Pod, node *corev1.Node) error {
	switch q := question.(type) {
	case plan.CheckSeal:
		s.Trusted = plan.Found[*plan.Refusal](nil)
	case plan.ReadClass:
		s.Class = plan.Found(everything(s.Session.Namespace))
	case plan.ReadNamespace:
		s.Namespace = plan.Found(labels.Set{corev1.LabelMetadataName: s.Session.Namespace})
	case plan.CheckUse:
		s.MayUse = plan.Found(true)
	case plan.CountRunning:
		s.Running = plan.Found(plan.Running{})
	case plan.ReadApprovals:
		s.Approvals = plan.Found[[]approval.Approval](nil)
	case plan.FindOwnerSession:
		s.OwnerSession = plan.Absent[string]()
	case plan.ListBudgets:
		s.Budgets = plan.Found[[]policyv1.PodDisruptionBudget](nil)
	case plan.ReadTarget:
		s.Target = plan.Found(runs(target))
	case plan.ReadNode:
		s.Node = plan.Found(node)
	case plan.ReadDebuggerPod:
		s.DebuggerPod = plan.Absent[*corev1.Pod]()
		if q.Fresh {
			s.DebuggerPod = s.DebuggerPod.Fresh()
		}
	default:
		return fmt.Errorf("the planner asks %T, which nothing here answers", question)
	}
	return nil
}

// runs is the target as its kubelet would tell of it: whose containers do not run nobody joins.
func runs(target *corev1.Pod) *corev1.Pod {
	target = target.DeepCopy()
	for i := range target.Spec.InitContainers {
		fakekubelet.Set(target, target.Spec.InitContainers[i].Name, fakekubelet.Running(admitted))
	}
	for i := range target.Spec.Containers {
		fakekubelet.Set(target, target.Spec.Containers[i].Name, fakekubelet.Running(admitted))
	}
	return target
}

// everything is a class that allows all that kubectl debug can do, which knows no classes.
func everything(namespace string) *v1alpha1.DebugClass {
	return &v1alpha1.DebugClass{
		ObjectMeta: metav1.ObjectMeta{Name: "everything", UID: "everything"},
		Spec: v1alpha1.DebugClassSpec{
			Modes:                v1alpha1.Modes(),
			Profiles:             v1alpha1.Profiles(),
			AllowSecurityContext: true, AllowVolumes: true, AllowPriority: true, NodeNamespace: namespace,
			MaxTTL: metav1.Duration{Duration: sessionSeconds * time.Second},
		},
	}
}

// perform does what the operator does for an action, but for the time limit that it puts around an ephemeral container's
// command.
func (c *cluster) perform(ctx context.Context, session *v1alpha1.DebugSession, action plan.Action) error {
	switch a := action.(type) {
	case plan.CreatePod:
		_, err := c.pods.CoreV1().Pods(session.Namespace).Create(ctx, a.Pod, metav1.CreateOptions{})
		return err
	case plan.InjectDebugger:
		unlimited(&a.Container, &session.Spec.Debugger)
		patch, err := json.Marshal(map[string]any{
			"metadata": map[string]any{"uid": a.UID},
			"spec":     map[string]any{"ephemeralContainers": []corev1.EphemeralContainer{a.Container}},
		})
		if err != nil {
			return err
		}
		_, err = c.pods.CoreV1().Pods(a.Pod.Namespace).Patch(ctx, a.Pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "ephemeralcontainers")
		return err
	}
	return errors.New("an action that makes no debugger")
}

// unlimited takes the time limit off a container's command again: what is left is what the session said, or nothing, for
// which the operator puts a shell.
func unlimited(container *corev1.EphemeralContainer, said *v1alpha1.Debugger) {
	words := debugpod.Unwrap(container.Command)
	container.Command, container.Args = nil, nil
	if len(said.Command) > 0 {
		container.Command, container.Args = words[:len(said.Command)], words[len(said.Command):]
	}
}
