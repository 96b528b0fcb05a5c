package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// target is a pod that is debugged: an HTTP server that reaps no child.
type target struct {
	*stage
	name   string
	pod    *corev1.Pod
	pid    int  // of its server, on the node
	struck bool // the fault is about the target: it need not be as it was
	// zombies is how many of the dead its server may be left with: those that docs/deadline.md admits.
	zombies int
}

// target makes pod web and waits until it serves.
func (s *stage) target(changes ...func(*corev1.PodSpec)) *target {
	return s.targetsNamed([]string{"web"}, changes...)[0]
}

func (s *stage) targetsNamed(names []string, changes ...func(*corev1.PodSpec)) []*target {
	return s.targetsWithin(time.Minute, names, changes...)
}

func (s *stage) targetsWithin(patience time.Duration, names []string, changes ...func(*corev1.PodSpec)) []*target {
	var all []*target
	for _, name := range names {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name, Labels: map[string]string{"app": name}},
			Spec: corev1.PodSpec{
				TerminationGracePeriodSeconds: new(int64(1)),
				AutomountServiceAccountToken:  new(false),
				Containers: []corev1.Container{{
					Name: "app", Image: "server:v1", Env: []corev1.EnvVar{{Name: "PORT", Value: "8080"}},
				}},
			},
		}
		for _, change := range changes {
			change(&pod.Spec)
		}
		s.eventually(10*time.Second, "pod "+name+" can be created", func() bool {
			err := s.client.Create(s.ctx, pod) // a new namespace's service account comes a moment later
			return err == nil || apierrors.IsAlreadyExists(err)
		})
		t := &target{stage: s, name: name, pod: pod}
		all = append(all, t)
		s.mu.Lock()
		s.targets = append(s.targets, t)
		s.mu.Unlock()
	}
	for _, t := range all {
		s.eventually(patience, "pod "+t.name+" serves", func() bool { return t.serves() == nil })
		t.pid = t.server()
	}
	return all
}

// read gets the pod; nil if it, or the one that was meant, is gone.
func (t *target) read() *corev1.Pod {
	pod := &corev1.Pod{}
	err := t.client.Get(t.ctx, client.ObjectKeyFromObject(t.pod), pod)
	if apierrors.IsNotFound(err) || err == nil && pod.UID != t.pod.UID {
		return nil
	}
	t.must("reading pod "+t.name, err)
	return pod
}

// serves asks the server over the pod's network.
func (t *target) serves() error {
	pod := t.read()
	if pod == nil {
		return fmt.Errorf("pod %s is gone", t.name)
	}
	t.pod = pod
	if pod.Status.PodIP == "" {
		return fmt.Errorf("pod %s has no address yet", t.name)
	}
	ctx, cancel := context.WithTimeout(t.ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(pod.Status.PodIP, "8080")+"/", http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// server is the pid of the target's own process on the node.
func (t *target) server() int {
	for _, p := range t.node.inPod(string(t.pod.UID)) {
		if p.marker == "" && comm(p.pid) == "server" {
			return p.pid
		}
	}
	t.fatal("pod %s is serving but has no process on the node", t.name)
	return 0
}
