package request

import (
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
)

// kinds are the kinds that need no look at the API server, by all the names that kubectl knows them by.
var kinds = map[string]schema.GroupVersionKind{}

func init() {
	for names, gvk := range map[string]schema.GroupVersionKind{
		"pod pods po":   {Version: "v1", Kind: "Pod"},
		"node nodes no": {Version: "v1", Kind: "Node"},
		"replicationcontroller replicationcontrollers rc":  {Version: "v1", Kind: "ReplicationController"},
		"deployment deployments deploy deployments.apps":   {Group: "apps", Version: "v1", Kind: "Deployment"},
		"statefulset statefulsets sts statefulsets.apps":   {Group: "apps", Version: "v1", Kind: "StatefulSet"},
		"daemonset daemonsets ds daemonsets.apps":          {Group: "apps", Version: "v1", Kind: "DaemonSet"},
		"replicaset replicasets rs replicasets.apps":       {Group: "apps", Version: "v1", Kind: "ReplicaSet"},
		"job jobs jobs.batch":                              {Group: "batch", Version: "v1", Kind: "Job"},
		"cronjob cronjobs cj cronjobs.batch":               {Group: "batch", Version: "v1", Kind: "CronJob"},
		"persistentvolumeclaim persistentvolumeclaims pvc": {Version: "v1", Kind: "PersistentVolumeClaim"},
	} {
		for name := range strings.FieldsSeq(names) {
			kinds[name] = gvk
		}
	}
}

// IsKind reports whether a word is a kind that kubectl knows by that name, and is debugged.
func IsKind(word string) bool {
	_, known := kinds[strings.ToLower(word)]
	return known
}

// KindOf finds the kind of a resource by the name that somebody typed, such as deploy or rollouts.argoproj.io.
type KindOf func(resource string) (schema.GroupVersionKind, error)

// TargetName names an object as somebody would type it: by a short kind if that means the same to everybody.
func TargetName(gvk schema.GroupVersionKind, name string) string {
	kind := strings.ToLower(gvk.Kind)
	if known, ok := kinds[kind]; gvk.Group != "" && (!ok || known.Group != gvk.Group) {
		kind += "." + gvk.Group
	}
	return kind + "/" + name
}

// target is what is debugged, and the short name by which a session's name tells it.
func (o *Options) target(kindOf KindOf) (target v1alpha1.Target, short string, err error) {
	target.Container, target.Pick, target.When = o.TargetContainer, o.Pick, o.When
	if o.All != 0 {
		target.All = &v1alpha1.AllPods{Max: o.All}
	}
	if o.TargetImage != "" {
		if o.Target != "" || o.Selector != "" {
			return target, "", errors.New("specify only one of: a target, -l, --target-image")
		}
		target.Image = o.TargetImage
		return target, debugpod.ImageName(o.TargetImage), nil
	}
	if o.Selector != "" {
		target.Selector, err = o.selector()
		return target, shortSelector(target.Selector), err
	}
	name, err := o.named(&target, kindOf)
	return target, name, err
}

// named has the target be what was typed, and returns its name.
func (o *Options) named(target *v1alpha1.Target, kindOf KindOf) (string, error) {
	resource, name, typed := strings.Cut(o.Target, "/")
	if !typed {
		resource, name = "pod", o.Target
	}
	if name == "" || resource == "" || strings.Contains(name, "/") {
		return "", fmt.Errorf("%q is not a target: specify POD, KIND/NAME such as deploy/checkout, or -l LABEL=VALUE", o.Target)
	}
	gvk, known := kinds[strings.ToLower(resource)]
	if !known {
		found, err := kindOf(resource)
		if err != nil {
			return "", err
		}
		gvk = found
	}
	switch {
	case gvk.Group == "" && gvk.Kind == "Pod":
		target.PodName, target.PodNamespace = name, o.PodNamespace
	case gvk.Group == "" && gvk.Kind == "Node":
		target.NodeName = name
	case gvk.Group == "" && gvk.Kind == "PersistentVolumeClaim":
		target.VolumeClaim = o.volumeClaim(name)
	default:
		target.Workload = &v1alpha1.Workload{APIVersion: gvk.GroupVersion().String(), Kind: gvk.Kind, Name: name}
	}
	return name, nil
}

func (o *Options) volumeClaim(name string) *v1alpha1.VolumeClaim {
	claim := &v1alpha1.VolumeClaim{Name: name, MountPath: o.MountPath}
	if o.ReadWrite {
		readOnly := false
		claim.ReadOnly = &readOnly
	}
	return claim
}

func (o *Options) selector() (*metav1.LabelSelector, error) {
	if o.Target != "" {
		return nil, fmt.Errorf("specify a target or -l, not both: %q and -l %s", o.Target, o.Selector)
	}
	selector, err := metav1.ParseToLabelSelector(o.Selector)
	if err != nil {
		return nil, fmt.Errorf("-l %s: %w", o.Selector, err)
	}
	return selector, nil
}

func shortSelector(selector *metav1.LabelSelector) string {
	if selector == nil {
		return ""
	}
	for _, key := range []string{"app.kubernetes.io/name", "app", "k8s-app"} {
		if value := selector.MatchLabels[key]; value != "" {
			return value
		}
	}
	return "selected"
}

// ParseWhen reads what a session is to wait for: crashed, or notReadyFor= and a duration.
func ParseWhen(text string) (*v1alpha1.When, error) {
	if text == "crashed" {
		return &v1alpha1.When{Crashed: true}, nil
	}
	if long, ok := strings.CutPrefix(text, "notReadyFor="); ok {
		wanted, err := time.ParseDuration(long)
		if err != nil {
			return nil, fmt.Errorf("%q is not a duration such as 2m", long)
		}
		return &v1alpha1.When{NotReadyFor: &metav1.Duration{Duration: wanted}}, nil
	}
	return nil, fmt.Errorf("%q is neither crashed nor a notReadyFor=DURATION such as notReadyFor=2m", text)
}
