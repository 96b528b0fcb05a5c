package imagepattern

// matchGlob reports whether s is what the pattern says, where * stands for any bytes or none.
func matchGlob(pattern, s string) bool {
	return match([]byte(pattern), []byte(s),
		func(p byte) bool { return p == '*' },
		func(p, b byte) bool { return p == b })
}

// matchParts says the same of the parts between slashes, where ** stands for any parts or none.
func matchParts(pattern, parts []string) bool {
	return match(pattern, parts, func(p string) bool { return p == anyParts }, matchGlob)
}

// match reports whether the elements of the pattern stand for those of s, in order: one that is a star for any number of them
// or none, any other for one that equal says it does. If the pattern does not go on after what the last star took, the star
// takes one element more; those before it took as little as they could, and need never change. So no element of the pattern
// is compared with the same element of s twice, and no pattern takes longer than len(pattern) times len(s).
func match[P, S any](pattern []P, s []S, isStar func(P) bool, equal func(P, S) bool) bool {
	p, i := 0, 0
	star, taken := -1, 0 // where the last star is, and up to where it takes s
	for i < len(s) {
		switch {
		case p < len(pattern) && isStar(pattern[p]):
			star, taken = p, i
			p++
		case p < len(pattern) && equal(pattern[p], s[i]):
			p++
			i++
		case star >= 0:
			taken++
			p, i = star+1, taken
		default:
			return false
		}
	}
	for p < len(pattern) && isStar(pattern[p]) {
		p++
	}
	return p == len(pattern)
}
