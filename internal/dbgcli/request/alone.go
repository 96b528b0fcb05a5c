package request

import (
	"errors"

	"debugsession.dev/operator/api/v1alpha1"
)

// checkAlone refuses what only a pod can have, and what only a claim can.
func (o *Options) checkAlone(target *v1alpha1.Target) error {
	switch {
	case target.VolumeClaim == nil && (o.MountPath != "" || o.ReadWrite):
		return errors.New("--mount-path and --read-write are for a PersistentVolumeClaim: specify pvc/NAME")
	case !target.IsAlone():
		return nil
	case o.Replace || o.SameNode:
		return errors.New("--replace and --same-node need a pod: omit them")
	case len(o.SetImages) > 0:
		return errors.New("--set-image needs a pod: omit it")
	case o.Keep.Labels || o.Keep.Annotations || o.Keep.Liveness || o.Keep.Readiness || o.Keep.Startup:
		return errors.New("--keep-labels and similar flags need a pod: omit them")
	case target.VolumeClaim != nil && (o.Container != "" || o.TargetContainer != "" || o.EnvFromTarget):
		return errors.New("a PersistentVolumeClaim has no containers: omit -c, --target and --env-from-target")
	case target.VolumeClaim != nil && o.Custom != nil && len(o.Custom.VolumeMounts) > 0:
		return errors.New("--custom cannot set volumeMounts for a PersistentVolumeClaim: use --mount-path")
	}
	return nil
}

// podOfTarget says how the pod is made of a target that is alone; nil if nothing is to be said.
func (o *Options) podOfTarget() *v1alpha1.PodCopy {
	if o.CopyTo == "" && o.ShareProcesses {
		return nil
	}
	shares := o.ShareProcesses
	return &v1alpha1.PodCopy{Name: o.CopyTo, ShareProcesses: &shares}
}
