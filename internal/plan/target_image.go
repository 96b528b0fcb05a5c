package plan

import (
	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/debugpod"
	"debugsession.dev/operator/internal/policy"
)

// findImage is the image to debug. There is nothing to look up: its kubelet will tell whether it can be pulled.
func (p *pass) findImage() (*debugTarget, step) {
	target := p.imageTarget()
	if refusal := checkTarget(p.spec(), target, nil); refusal != nil {
		return nil, reject{refusal}
	}
	return target, nil
}

func (p *pass) imageTarget() *debugTarget {
	image := policy.TargetImage(p.spec())
	return &debugTarget{image: image, pod: debugpod.ImagePod(p.Session.Namespace, image)}
}

func imageNamed(image string) *v1alpha1.TargetStatus {
	image = sanitizeText(image, maxText) // it is recorded of a session that waits, too, whatever it says
	return &v1alpha1.TargetStatus{Name: "image/" + image, Image: image}
}
