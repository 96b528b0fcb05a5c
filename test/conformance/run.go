package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// verdict is what came of a case.
type verdict string

const (
	equal   verdict = "equal"
	listed  verdict = "listed"
	failure verdict = "FAILURE"
)

// result is one case's verdict, and what it rests on.
type result struct {
	Shape   *shape
	Case    *testCase
	Verdict verdict

	// Listed are the names of the divergences that showed.
	Listed []string

	// Details are lines for a reader: the differences, or what went wrong.
	Details []string
}

// side is what one side made of a case.
type side struct {
	refusal string
	pod     *corev1.Pod
	before  *corev1.Pod
}

// runAll runs all cases, as many at a time as there are lanes, and returns the results in order. The error is
// about what keeps cases from being run at all.
func runAll(ctx context.Context, c *cluster, shapes []shape, list []divergence) ([]result, error) {
	var results []result
	for i := range shapes {
		if err := c.makeObjects(ctx, shapes[i].Objects); err != nil {
			return nil, fmt.Errorf("%s: %w", shapes[i].Name, err)
		}
		if shapes[i].Node != nil {
			if err := c.makeNode(ctx, shapes[i].Node); err != nil {
				return nil, fmt.Errorf("%s: %w", shapes[i].Name, err)
			}
		}
		for j := range shapes[i].Cases {
			results = append(results, result{Shape: &shapes[i], Case: &shapes[i].Cases[j]})
		}
	}
	next := make(chan *result)
	var group sync.WaitGroup
	for _, lane := range c.lanes {
		group.Go(func() {
			for r := range next {
				r.run(ctx, c, lane, list)
			}
		})
	}
	for i := range results {
		next <- &results[i]
	}
	close(next)
	group.Wait()
	return results, ctx.Err()
}

// run runs one case. Whatever goes wrong makes it a failure: a case that could not be run proved nothing.
func (r *result) run(ctx context.Context, c *cluster, l lane, list []divergence) {
	theirs, ours, err := c.runBoth(ctx, l, r.Shape, r.Case)
	if err = errors.Join(err, c.empty(ctx, l)); err != nil {
		r.fail("%v", err)
		return
	}
	if theirs.refusal != "" || ours.refusal != "" {
		r.judgeRefusals(theirs.refusal, ours.refusal, list)
	} else if err := r.judgePods(theirs, ours, list); err != nil {
		r.fail("%v", err)
	}
	r.judgeListed()
}

func (r *result) fail(format string, args ...any) {
	r.Verdict = failure
	r.Details = append(r.Details, fmt.Sprintf(format, args...))
}

// runBoth debugs two equal pods, or one node, each in its own way.
func (c *cluster) runBoth(ctx context.Context, l lane, s *shape, tc *testCase) (theirs, ours side, err error) {
	if s.Node != nil {
		return c.runBothOnNode(ctx, l, tc)
	}
	if theirs.before, err = c.makeTarget(ctx, l.kubectl, &s.Pod); err != nil {
		return
	}
	if ours.before, err = c.makeTarget(ctx, l.session, &s.Pod); err != nil {
		return
	}
	if theirs.refusal, err = c.kubectl.debug(ctx, l.kubectl, targetName, tc); err != nil {
		return
	}
	var podName string
	if ours.refusal, podName, err = c.debug(ctx, ours.before, tc); err != nil {
		return
	}
	if theirs.refusal == "" {
		debugged := targetName
		if copyTo := tc.copyTo(); copyTo != "" {
			debugged = copyTo
		}
		if theirs.pod, err = c.pods.CoreV1().Pods(l.kubectl).Get(ctx, debugged, metav1.GetOptions{}); err != nil {
			return
		}
	}
	if ours.refusal == "" {
		ours.pod, err = c.pods.CoreV1().Pods(l.session).Get(ctx, podName, metav1.GetOptions{})
	}
	return
}

// runBothOnNode has each side make a pod on the node. What was before is no pod at all.
func (c *cluster) runBothOnNode(ctx context.Context, l lane, tc *testCase) (theirs, ours side, err error) {
	theirs.before, ours.before = &corev1.Pod{}, &corev1.Pod{}
	if theirs.refusal, err = c.kubectl.debug(ctx, l.kubectl, "node/"+targetName, tc); err != nil {
		return
	}
	if theirs.refusal == "" {
		if theirs.pod, err = c.onlyPod(ctx, l.kubectl); err != nil {
			return
		}
	}
	if ours.refusal, err = c.debugNode(ctx, l.session, tc); err != nil || ours.refusal != "" {
		return
	}
	ours.pod, err = c.onlyPod(ctx, l.session)
	return
}

// judgePods compares what the two sides made.
func (r *result) judgePods(theirs, ours side, list []divergence) error {
	if r.Case.BothRefuse {
		r.fail("neither side refused it, and bothRefuse says that both do")
		return nil
	}
	kubectl, err := essentials(theirs.pod, theirs.before)
	if err != nil {
		return err
	}
	mine, err := essentials(ours.pod, ours.before)
	if err != nil {
		return err
	}
	r.judgeDifferences(compare("", kubectl, mine), list)
	return nil
}

func (r *result) judgeDifferences(differences []difference, list []divergence) {
	r.Verdict = equal
	for _, found := range differences {
		name := listing(list, r.shapeName(), found)
		if name == "" {
			r.fail("%s", found)
			continue
		}
		r.addListed(name, found.String())
	}
}

// judgeRefusals judges a case in which at least one side was refused.
func (r *result) judgeRefusals(kubectl, ours string, list []divergence) {
	r.Verdict = equal
	switch {
	case kubectl != "" && ours != "":
		if !r.Case.BothRefuse {
			r.judgeBothRefusals(kubectl, ours, list)
		}
	case r.Case.BothRefuse:
		r.fail("only one side refused it, and bothRefuse says that both do: kubectl %q, ours %q", kubectl, ours)
	case kubectl != "":
		r.judgeRefusal("kubectl", kubectl, list)
	default:
		r.judgeRefusal("ours", ours, list)
	}
}

// judgeBothRefusals judges a case that neither side got through with. What one alone is refused for beside what both are has
// to be on the list, as if it were refused for nothing else.
func (r *result) judgeBothRefusals(kubectl, ours string, list []divergence) {
	theirs, mine := reasons(kubectl), reasons(ours)
	shared := func(reason string) bool { return slices.Contains(theirs, reason) && slices.Contains(mine, reason) }
	if !slices.ContainsFunc(theirs, shared) {
		r.judgeRefusal("both", "kubectl: "+kubectl+"; ours: "+ours, list)
		return
	}
	for _, reason := range slices.DeleteFunc(slices.Clone(theirs), shared) {
		r.judgeRefusal("kubectl", reason, list)
	}
	for _, reason := range slices.DeleteFunc(slices.Clone(mine), shared) {
		r.judgeRefusal("ours", reason, list)
	}
}

func (r *result) judgeRefusal(by, message string, list []divergence) {
	if name := listingOfRefusal(list, r.shapeName(), by, message); name != "" {
		r.addListed(name, "refused "+by+": "+message)
	} else {
		r.fail("refused %s: %s", by, message)
	}
}

// shapeName is empty for what is from no file.
func (r *result) shapeName() string {
	if r.Shape == nil {
		return ""
	}
	return r.Shape.Name
}

func (r *result) addListed(name, detail string) {
	if r.Verdict == equal {
		r.Verdict = listed
	}
	if !slices.Contains(r.Listed, name) {
		r.Listed = append(r.Listed, name)
	}
	r.Details = append(r.Details, detail)
}

// judgeListed checks that the divergences that showed are those that the case says, if it says.
func (r *result) judgeListed() {
	if !r.Case.declared {
		return
	}
	want, got := slices.Sorted(slices.Values(r.Case.Listed)), slices.Sorted(slices.Values(r.Listed))
	if !slices.Equal(want, got) {
		r.fail("listed says %v, and the divergences that showed are %v", want, got)
	}
}

var (
	beforeReason = regexp.MustCompile(`(?s)^.*?(is invalid|is forbidden|forbidden): `)
	quotedNames  = regexp.MustCompile(`"[^"]*(debug|copy)[^"]*"`)
	nextReason   = regexp.MustCompile(`(?:, |\n\* )(spec|metadata)\b`)
	wholeObject  = regexp.MustCompile(`(Invalid value: )\{.*\}: `)
)

// reasons are those of a refusal, in order, without what differs between the two sides: what precedes the reasons, the
// names of pods and debuggers, how several reasons are set apart, which kubectl does by lines and the API server by
// commas, and the objects of which a field is wrong, in which others may differ.
func reasons(refusal string) []string {
	refusal = beforeReason.ReplaceAllString(strings.TrimSpace(refusal), "")
	if several, ok := strings.CutPrefix(refusal, "["); ok {
		refusal = strings.TrimSuffix(several, "]")
	}
	refusal = strings.TrimPrefix(strings.TrimSpace(refusal), "* ")
	refusal = quotedNames.ReplaceAllString(refusal, `"NAME"`)
	all := strings.Split(nextReason.ReplaceAllString(refusal, "\x00$1"), "\x00")
	for i := range all {
		all[i] = wholeObject.ReplaceAllString(all[i], "$1")
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// verdicts counts the results by verdict.
func verdicts(results []result) map[verdict]int {
	counts := map[verdict]int{}
	for i := range results {
		counts[results[i].Verdict]++
	}
	return counts
}
