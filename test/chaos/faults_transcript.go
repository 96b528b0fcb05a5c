package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/jsonpatch"
)

// transcribedBurst is a burst whose debuggers print a line every ten seconds, without a transcript, and once more with one.
func transcribedBurst(size int) *fault {
	return &fault{
		name:   fmt.Sprintf("burst-%d-transcribed", size),
		broken: fmt.Sprintf("%d sessions that print expire in the same second, and again with a transcript each", size),
		within: 2 * time.Minute, limit: 30 * time.Minute, run: func(s *stage) { transcribed(s, size) },
	}
}

func transcribed(s *stage, size int) {
	folder := s.auditStore()
	printing := script("while :; do date; sleep 10; done")

	plain := s.expiringTogether("plain", size, printing)
	leader := s.leading()
	before := s.memory(leader)
	s.end(5*time.Minute, plain...)
	without := s.measure(plain)

	recorded := s.expiringTogether("recorded", size, printing, ofClass(classRecorded))
	during := s.memory(leader)
	s.end(5*time.Minute, recorded...)
	with := s.measure(recorded)
	s.outOfMemory()
	if s.leading().pid != leader.pid { // the node was too busy for the leader to renew its lease
		s.remark("another process leads at the end")
	}

	s.remark("without transcripts: %s; with: %s; the leader's memory: %d MiB with %d sessions, %d MiB with %d more that have ended and %d transcripts, at most %d KiB a transcript",
		without, with, before>>20, size, during>>20, size, size, max(during-before, 0)/size>>10)
	if of := quantile(without.gone, 99); quantile(with.gone, 99) > of+of/2+2*time.Second {
		s.mistake("with transcripts 99 of 100 debuggers took %s to end, and without %s", quantile(with.gone, 99), of)
	}
	s.wholeTranscripts(folder, recorded)
}

// wholeTranscripts sees that each session's transcript is kept from its first line to its last.
func (s *stage) wholeTranscripts(folder string, sessions []*session) {
	for _, h := range sessions {
		status := h.now().Status.Transcript
		if status == nil || status.Incomplete != "" {
			s.mistake("session %s has no complete transcript: %+v", h.object.Name, status)
			continue
		}
		files, err := filepath.Glob(filepath.Join(folder, status.Key, "*"))
		s.must("listing the parts of a transcript", err)
		lines := 0
		for _, file := range files {
			part, err := os.ReadFile(file)
			s.must("reading a part of a transcript", err)
			lines += strings.Count(string(part), " UTC ")
		}
		started, ended := h.now().Status.StartedAt, h.now().Status.EndedAt
		if seconds := int(ended.Sub(started.Time).Seconds()); lines < seconds/20 {
			s.mistake("session %s printed for %d s, but its transcript has %d lines", h.object.Name, seconds, lines)
		}
	}
}

// leading is the leader's process.
func (s *stage) leading() process {
	leader, err := s.leader(s.ctx)
	s.must("reading the leader", err)
	process, runs := s.managers()[leader]
	if !runs {
		s.fatal("%s is the leader but has no process on the node", leader)
	}
	return process
}

// outOfMemory sees that no replica was killed for the memory that it took.
func (s *stage) outOfMemory() {
	pods, err := s.world.replicas(s.ctx)
	s.must("listing the operator's pods", err)
	for i := range pods {
		for _, status := range pods[i].Status.ContainerStatuses {
			if last := status.LastTerminationState.Terminated; last != nil && last.Reason == "OOMKilled" {
				s.mistake("replica %s was out of memory", pods[i].Name)
			}
		}
	}
}

// memory is how much of the node's memory a process has.
func (s *stage) memory(p process) (bytes int) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	s.must("reading the leader's memory", err)
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	var kibibytes int
	_, err = fmt.Sscan(after, &kibibytes)
	s.must("reading the leader's memory", err)
	return kibibytes << 10
}

// auditStore gives all replicas a folder of the node as their audit store until the fault is over, and returns it.
func (s *stage) auditStore() (folder string) {
	node, err := os.MkdirTemp("", "chaos-audit-")
	s.must("creating a directory", err)
	s.later(func() { s.must("deleting the directory", os.RemoveAll(node)) })
	s.must("making the directory writable for the operator", os.Chmod(node, 0o777))
	const name = "chaos-audit"
	meta := metav1.ObjectMeta{Namespace: operatorNamespace, Name: name}
	size := corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	volume := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PersistentVolumeSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, Capacity: size,
		ClaimRef:               &corev1.ObjectReference{Namespace: operatorNamespace, Name: name},
		PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: node}},
	}}
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: meta, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: volume.Spec.AccessModes, VolumeName: name, StorageClassName: new(""),
		Resources: corev1.VolumeResourceRequirements{Requests: size},
	}}
	key := client.ObjectKey{Namespace: operatorNamespace, Name: operatorName}
	asItWas := &appsv1.Deployment{}
	s.must("reading the operator's deployment", s.client.Get(s.ctx, key, asItWas))
	s.later(func() {
		s.must("deleting the claim", client.IgnoreNotFound(s.client.Delete(s.ctx, claim)))
		s.must("deleting the volume", client.IgnoreNotFound(s.client.Delete(s.ctx, volume)))
		anchor := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: audit.AnchorName}}
		s.must("deleting the anchor of the store", client.IgnoreNotFound(s.client.Delete(s.ctx, anchor)))
	})
	s.later(func() {
		s.must("restoring the operator", s.client.Patch(s.ctx, asItWas.DeepCopy(), jsonpatch.Patch{
			jsonpatch.Add("/spec/template", asItWas.Spec.Template),
		}))
		s.must("the operator after the fault", s.operatorReady(s.ctx))
	})
	s.must("creating the volume", s.client.Create(s.ctx, volume))
	s.must("creating the claim", s.client.Create(s.ctx, claim))
	const pod, container = "/spec/template/spec", "/spec/template/spec/containers/0"
	s.must("configuring an audit store", s.client.Patch(s.ctx, asItWas.DeepCopy(), jsonpatch.Patch{
		jsonpatch.Add(container+"/args/-", "--audit-store=file:///var/lib/debugsession/audit"),
		jsonpatch.Add(container+"/volumeMounts", []corev1.VolumeMount{{Name: name, MountPath: "/var/lib/debugsession"}}),
		jsonpatch.Add(pod+"/volumes", []corev1.Volume{{Name: name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name},
		}}}),
	}))
	s.must("the operator with an audit store", s.operatorReady(s.ctx))
	return filepath.Join(node, "audit")
}
