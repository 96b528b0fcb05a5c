package main

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
)

// The classes of the faults' sessions.
const (
	classChaos    = "chaos"          // a hard deadline that is far away
	classShort    = "chaos-short"    // a hard deadline after 40 seconds
	classApproval = "chaos-approval" // somebody has to approve
	classRecorded = "chaos-recorded" // what a debugger prints is kept
)

func classes() []*v1alpha1.DebugClass {
	class := func(name string, maxTTL time.Duration, approvals int32) *v1alpha1.DebugClass {
		c := &v1alpha1.DebugClass{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: v1alpha1.DebugClassSpec{
				Modes:    []v1alpha1.Mode{v1alpha1.ModeEphemeralContainer, v1alpha1.ModePodCopy},
				Profiles: []v1alpha1.Profile{v1alpha1.ProfileGeneral},
				MaxTTL:   metav1.Duration{Duration: maxTTL},
			},
		}
		if approvals > 0 {
			c.Spec.Approval = &v1alpha1.ApprovalPolicy{Required: approvals, SelfApproval: true}
		}
		return c
	}
	recorded := class(classRecorded, time.Hour, 0)
	recorded.Spec.Audit, recorded.Spec.Transcript = v1alpha1.AuditRequired, v1alpha1.TranscriptRequired
	return []*v1alpha1.DebugClass{
		recorded,
		class(classChaos, time.Hour, 0),
		class(classShort, 40*time.Second, 0),
		class(classApproval, time.Hour, 1),
	}
}
