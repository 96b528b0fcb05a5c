package debugpod

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"debugsession.dev/operator/api/v1alpha1"
)

func amounts(pairs ...string) corev1.ResourceList {
	list := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		list[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return list
}

func TestResourceBounds(t *testing.T) {
	limits := func(pairs ...string) corev1.ResourceRequirements {
		return corev1.ResourceRequirements{Limits: amounts(pairs...)}
	}
	requests := func(pairs ...string) *corev1.ResourceRequirements {
		return &corev1.ResourceRequirements{Requests: amounts(pairs...)}
	}
	claiming := func(name string, claims ...string) corev1.Container {
		c := corev1.Container{Name: name}
		for _, claim := range claims {
			c.Resources.Claims = append(c.Resources.Claims, corev1.ResourceClaim{Name: claim})
		}
		return c
	}
	claims := func(names ...string) (all []corev1.PodResourceClaim) {
		for _, name := range names {
			all = append(all, corev1.PodResourceClaim{Name: name, ResourceClaimTemplateName: new(name)})
		}
		return all
	}
	sidecar := new(corev1.ContainerRestartPolicyAlways)
	for name, test := range map[string]struct {
		bounds  v1alpha1.ResourceBounds
		target  corev1.PodSpec
		asks    *corev1.ResourceRequirements
		wants   map[string]corev1.ResourceList // limits, by container
		forbids string
		field   string
	}{
		"the debugger gets the bound for its limit": {
			bounds: v1alpha1.ResourceBounds{Debugger: amounts("cpu", "1")},
			wants:  map[string]corev1.ResourceList{"debugger": amounts("cpu", "1")},
		},
		"less is kept": {
			bounds: v1alpha1.ResourceBounds{Debugger: amounts("cpu", "1")},
			asks:   new(limits("cpu", "200m")),
			wants:  map[string]corev1.ResourceList{"debugger": amounts("cpu", "200m")},
		},
		"a request of more": {
			bounds:  v1alpha1.ResourceBounds{Debugger: amounts("memory", "1Gi")},
			asks:    requests("memory", "2Gi"),
			forbids: "requests 2Gi of memory, but at most 1Gi",
			field:   debuggerResourcesField,
		},
		"a limit of more": {
			bounds:  v1alpha1.ResourceBounds{Debugger: amounts("memory", "1Gi")},
			asks:    new(limits("memory", "2Gi")),
			forbids: "limit of 2Gi of memory",
			field:   debuggerResourcesField,
		},
		"an extended resource of which there is none": {
			bounds:  v1alpha1.ResourceBounds{Debugger: amounts("nvidia.com/gpu", "0")},
			asks:    new(limits("nvidia.com/gpu", "1")),
			forbids: "nvidia.com/gpu",
			field:   debuggerResourcesField,
		},
		"an extended resource is not given": {
			bounds: v1alpha1.ResourceBounds{Debugger: amounts("nvidia.com/gpu", "1")},
			wants:  map[string]corev1.ResourceList{"debugger": nil},
		},
		"the target's, which is copied": {
			bounds:  v1alpha1.ResourceBounds{Pod: amounts("nvidia.com/gpu", "1")},
			target:  corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Resources: limits("nvidia.com/gpu", "2")}}},
			forbids: "limit of 2 of nvidia.com/gpu",
			field:   copyResourcesField,
		},
		"the target's claims, which are copied": {
			bounds:  v1alpha1.ResourceBounds{Pod: amounts(string(ResourceClaims), "1")},
			target:  corev1.PodSpec{ResourceClaims: claims("gpu", "nic"), Containers: []corev1.Container{claiming("app", "gpu", "nic")}},
			forbids: "the pod itself claims 2 of count/resourceclaims.resource.k8s.io (its spec.resourceClaims)",
			field:   "spec.target",
		},
		"claims that no container uses do not count": {
			bounds: v1alpha1.ResourceBounds{Pod: amounts(string(ResourceClaims), "1")},
			target: corev1.PodSpec{ResourceClaims: claims("gpu", "nic"), Containers: []corev1.Container{claiming("app", "gpu")}},
			wants:  map[string]corev1.ResourceList{"app": nil},
		},
		"as many claims as are allowed": {
			bounds: v1alpha1.ResourceBounds{Pod: amounts(string(ResourceClaims), "2"), Debugger: amounts(string(ResourceClaims), "1")},
			target: corev1.PodSpec{ResourceClaims: claims("gpu", "nic"), Containers: []corev1.Container{claiming("app", "gpu", "nic")}},
			asks:   &corev1.ResourceRequirements{Claims: []corev1.ResourceClaim{{Name: "gpu"}}},
			wants:  map[string]corev1.ResourceList{"debugger": nil},
		},
		"a claim that the debugger may not use": {
			bounds:  v1alpha1.ResourceBounds{Debugger: amounts(string(ResourceClaims), "0")},
			target:  corev1.PodSpec{ResourceClaims: claims("gpu"), Containers: []corev1.Container{claiming("app", "gpu")}},
			asks:    &corev1.ResourceRequirements{Claims: []corev1.ResourceClaim{{Name: "gpu"}}},
			forbids: "the debugger has 1 of count/resourceclaims.resource.k8s.io",
			field:   debuggerResourcesField,
		},
		"what has no limit shares what is left": {
			bounds: v1alpha1.ResourceBounds{Pod: amounts("cpu", "2")},
			target: corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}, {Name: "proxy", Resources: limits("cpu", "500m")}}},
			wants: map[string]corev1.ResourceList{"app": amounts("cpu", "750m"), "debugger": amounts("cpu", "750m"),
				"proxy": amounts("cpu", "500m")},
		},
		"nothing is left": {
			bounds:  v1alpha1.ResourceBounds{Pod: amounts("cpu", "1")},
			target:  corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Resources: limits("cpu", "1")}}},
			forbids: "has no limit of cpu",
			field:   copyResourcesField,
		},
		"a request of more than is left": {
			bounds:  v1alpha1.ResourceBounds{Pod: amounts("memory", "2Gi")},
			target:  corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Resources: *requests("memory", "1536Mi")}}},
			forbids: `container "app" requests 1536Mi of memory, but the class's limit for the pod leaves 1Gi for it`,
			field:   copyResourcesField,
		},
		"sidecars count beside init containers": {
			bounds: v1alpha1.ResourceBounds{Pod: amounts("nvidia.com/gpu", "3")},
			target: corev1.PodSpec{InitContainers: []corev1.Container{
				{Name: "side", RestartPolicy: sidecar, Resources: limits("nvidia.com/gpu", "2")},
				{Name: "setup", Resources: limits("nvidia.com/gpu", "2")},
			}, Containers: []corev1.Container{{Name: "app"}}},
			forbids: "limit of 4",
			field:   copyResourcesField,
		},
		"an init container has what the sidecars leave": {
			bounds: v1alpha1.ResourceBounds{Pod: amounts("cpu", "3")},
			target: corev1.PodSpec{InitContainers: []corev1.Container{{Name: "side", RestartPolicy: sidecar}, {Name: "setup"}},
				Containers: []corev1.Container{{Name: "app"}}},
			wants: map[string]corev1.ResourceList{"side": amounts("cpu", "1"), "setup": amounts("cpu", "2"), "app": amounts("cpu", "1"),
				"debugger": amounts("cpu", "1")},
		},
		"the whole pod's own limit": {
			bounds: v1alpha1.ResourceBounds{Pod: amounts("cpu", "2")},
			target: corev1.PodSpec{Resources: new(limits("cpu", "1")), Containers: []corev1.Container{{Name: "app"}}},
			wants:  map[string]corev1.ResourceList{"app": nil, "debugger": nil},
		},
		"the whole pod's own limit is more": {
			bounds:  v1alpha1.ResourceBounds{Pod: amounts("cpu", "2")},
			target:  corev1.PodSpec{Resources: new(limits("cpu", "3")), Containers: []corev1.Container{{Name: "app"}}},
			forbids: "the pod itself claims 3 of cpu",
			field:   "spec.target",
		},
		"no more than the whole pod's own, of the bound": {
			bounds: v1alpha1.ResourceBounds{Debugger: amounts("cpu", "2")},
			target: corev1.PodSpec{Resources: new(limits("cpu", "1")), Containers: []corev1.Container{{Name: "app"}}},
			wants:  map[string]corev1.ResourceList{"debugger": amounts("cpu", "1")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			session := admitted(v1alpha1.ModePodCopy)
			session.Spec.Debugger.Resources = test.asks
			session.Spec.PodCopy.Keep = []v1alpha1.Keep{v1alpha1.KeepInitContainers}
			session.Status.Class.Allows.Resources = &test.bounds
			copied, err := Copy(session, &corev1.Pod{Spec: test.target}, now)
			if test.forbids != "" {
				wantForbidden(t, err, test.field, test.forbids)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range test.wants {
				if name == "debugger" {
					name = session.Status.Debugger.ContainerName
				}
				container := containerNamed(t, copied, name)
				if len(container.Resources.Limits) != len(want) {
					t.Errorf("container %s has limits %v, want %v", name, container.Resources.Limits, want)
				}
				for resource, quantity := range want {
					got := container.Resources.Limits[resource]
					if got.Cmp(quantity) != 0 {
						t.Errorf("container %s has a limit of %s of %s, want %s", name, got.String(), resource, quantity.String())
					}
				}
			}
		})
	}
	t.Run("a copy claims what its containers use", func(t *testing.T) {
		session := admitted(v1alpha1.ModePodCopy)
		session.Spec.PodCopy.OmitContainers = []string{"train"}
		target := &corev1.Pod{Spec: corev1.PodSpec{
			ResourceClaims: claims("gpu", "nic", "none"),
			Containers:     []corev1.Container{claiming("app", "nic"), claiming("train", "gpu", "nic")},
		}}
		copied, err := Copy(session, target, now)
		if err != nil || len(copied.Spec.ResourceClaims) != 1 || copied.Spec.ResourceClaims[0].Name != "nic" {
			t.Errorf("claims %+v, %v", copied.Spec.ResourceClaims, err)
		}
		session.Spec.PodCopy.OmitContainers = []string{"app", "train"}
		if copied, err = Copy(session, target, now); err != nil || copied.Spec.ResourceClaims != nil {
			t.Errorf("claims %+v, %v", copied.Spec.ResourceClaims, err)
		}
	})
	t.Run("a limit is no request", func(t *testing.T) {
		session := admitted(v1alpha1.ModeNode)
		session.Status.Class.Allows.Resources = &v1alpha1.ResourceBounds{Debugger: amounts("memory", "1Gi"), Pod: amounts("cpu", "1")}
		pod, err := Node(session, now)
		if err != nil {
			t.Fatal(err)
		}
		got := pod.Spec.Containers[0].Resources
		if got.Requests.Memory().Sign() != 0 || got.Requests.Cpu().Sign() != 0 || len(got.Requests) != 2 ||
			got.Limits.Cpu().String() != "1" {
			t.Errorf("resources %+v", got)
		}
	})
	t.Run("a container that is only changed is none", func(t *testing.T) {
		session := admitted(v1alpha1.ModePodCopy)
		session.Spec.Debugger = v1alpha1.Debugger{}
		session.Spec.PodCopy.Containers = []v1alpha1.ContainerChange{{Name: "app", Image: "web:debug"}}
		session.Status.Debugger.ContainerName = "app"
		session.Status.Class.Allows.Resources = &v1alpha1.ResourceBounds{Debugger: amounts("cpu", "1")}
		copied, err := Copy(session,
			&corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Resources: limits("cpu", "8")}}}}, now)
		if err != nil || copied.Spec.Containers[0].Resources.Limits.Cpu().String() != "8" {
			t.Errorf("%v", err)
		}
	})
}
