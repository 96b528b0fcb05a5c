package diagnosis

import "strings"

// schedulingHints are found by the scheduler's words in lower case, for which the API has no code: what keeps a copy from being where its
// target is, or anywhere, and what can be done about it.
var schedulingHints = []schedulingHint{
	{"free ports", "the target holds a port of its node: podCopy.replaceOriginal frees it, and so does a second node", true},
	{"readwriteoncepod", "the target holds a volume that one pod alone may use: podCopy.replaceOriginal frees it", true},
	{"persistentvolume's node affinity", "the copy's volumes are elsewhere: podCopy.sameNode puts it where the target is", false},
	{"volume", "see what the copy's volumes are bound to; podCopy.sameNode puts it where the target is", false},
	{"resourceclaim", "the target holds what the copy claims: podCopy.replaceOriginal frees it", true},
	{"allocate all claims", "the target holds what the copy claims: podCopy.replaceOriginal frees it", true},
	{"anti-affinity", "the rules that the copy has from its target keep it away from pods such as those: podCopy.sameNode puts it where the target is, unscheduled", true},
	{"topology spread", "the rules that the copy has from its target spread it: podCopy.sameNode puts it where the target is, unscheduled", true},
	{"insufficient ", "the copy needs as much as its target: ask for less by resources in podCopy.containers, or free some", true},
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
	return "the copy needs a node that takes it: see the message"
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
