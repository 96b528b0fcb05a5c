package diagnosis

import "strings"

// schedulingHints are found by the scheduler's words in lower case, for which the API has no code: what keeps a copy from being where its
// target is, or anywhere, and what can be done about it.
var schedulingHints = []schedulingHint{
	{"free ports", "the target holds a host port: set podCopy.replaceOriginal to free it, or add a node", true},
	{"readwriteoncepod", "the target holds a volume that only one pod may use: set podCopy.replaceOriginal to free it", true},
	{"persistentvolume's node affinity", "the copy's volumes are on another node: set podCopy.sameNode to place it on the target's node", false},
	{"volume", "check what the copy's volumes are bound to, or set podCopy.sameNode to place it on the target's node", false},
	{"resourceclaim", "the target holds what the copy claims: set podCopy.replaceOriginal to free it", true},
	{"allocate all claims", "the target holds what the copy claims: set podCopy.replaceOriginal to free it", true},
	{"anti-affinity", "anti-affinity rules copied from the target keep the copy away: set podCopy.sameNode to place it on the target's node, bypassing the scheduler", true},
	{"topology spread", "topology spread constraints copied from the target keep the copy away: set podCopy.sameNode to place it on the target's node, bypassing the scheduler", true},
	{"insufficient ", "the copy requests as much as its target: request less with resources in podCopy.containers, or free some", true},
}

type schedulingHint struct {
	words, remedy string
	held          bool // the target may be what is in the way
}

// SchedulingRemedy is what can be done about a copy that the scheduler has no node for.
func SchedulingRemedy(message string) string {
	if o := schedulingHintIn(message); o != nil {
		return o.remedy
	}
	return "the copy needs a node that accepts it: see the message"
}

// HeldByTarget reports whether a copy may have a place once its target has gone.
func HeldByTarget(message string) bool {
	o := schedulingHintIn(message)
	return o != nil && o.held
}

func schedulingHintIn(message string) *schedulingHint {
	message = strings.ToLower(message)
	for i := range schedulingHints {
		if strings.Contains(message, schedulingHints[i].words) {
			return &schedulingHints[i]
		}
	}
	return nil
}
