package plan

// endedGates let an ended session rest. Ended is final: none of them changes the status, but for the review of an emergency.
var endedGates = []gate{
	(*pass).finalizerRemoved,
	(*pass).reviewed,
	(*pass).retained,
}

// finalizerRemoved lets the session go once its end has been written down, so that a record can be deleted at any time, by anyone
// who may, with or without the operator.
func (p *pass) finalizerRemoved() step {
	if p.hasFinalizer() {
		p.do(RemoveFinalizer{})
	}
	return nil
}
