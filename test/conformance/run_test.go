package main

import (
	"errors"
	"io"
	"slices"
	"testing"
)

func TestReasons(t *testing.T) {
	for _, same := range [][2]string{
		{
			"Warning: Non-root user is configured.\nThe Pod \"copy\" is invalid: spec.a: Required value",
			"Pod \"target-debug-1a2b3\" is invalid: spec.a: Required value",
		},
		{
			"The Pod \"copy\" is invalid: \n* spec.a: Required value\n* spec.b: Required value",
			"Pod \"target-debug-1a2b3\" is invalid: [spec.a: Required value, spec.b: Required value]",
		},
		{
			"Error from server (Forbidden): pods \"copy\" is forbidden: no PriorityClass",
			"pods \"target-debug-1a2b3\" is forbidden: no PriorityClass",
		},
		{
			`The Pod "copy" is invalid: spec.a: Invalid value: {"Add":["SYS_PTRACE","SYS_PTRACE"],"Of":{"b":true}}: cannot be`,
			`Pod "target-debug-1a2b3" is invalid: spec.a: Invalid value: {"Add":["SYS_PTRACE"],"Of":{"b":true}}: cannot be`,
		},
	} {
		if kubectl, ours := reasons(same[0]), reasons(same[1]); !slices.Equal(kubectl, ours) {
			t.Errorf("%q\nand\n%q\nare one refusal, and were told apart", kubectl, ours)
		}
	}
	if slices.Equal(reasons("The Pod \"copy\" is invalid: spec.a: Required value"),
		reasons("Pod \"copy\" is invalid: spec.b: Required value")) {
		t.Error("two refusals were taken for one")
	}
}

func TestVerdicts(t *testing.T) {
	list := []divergence{
		{Name: "image", Reason: "x", Field: `spec\.image`, Ours: `"ours"`},
		{Name: "theirs", Reason: "x", Refused: "kubectl", Message: "cannot"},
	}
	for i := range list {
		if err := list[i].complete(); err != nil {
			t.Fatal(err)
		}
	}
	image := []difference{{Field: "spec.image", Kubectl: "theirs", Ours: "ours"}}
	for _, test := range []struct {
		name  string
		tc    testCase
		judge func(*result)
		want  verdict
	}{
		{"no difference", testCase{}, func(r *result) { r.judgeDifferences(nil, list) }, equal},
		{"a listed difference", testCase{}, func(r *result) { r.judgeDifferences(image, list) }, listed},
		{"the difference that the case lists", testCase{Listed: []string{"image"}, declared: true},
			func(r *result) { r.judgeDifferences(image, list) }, listed},
		{"a listed difference that the case rules out", testCase{declared: true},
			func(r *result) { r.judgeDifferences(image, list) }, failure},
		{"a listed difference that does not show", testCase{Listed: []string{"image"}, declared: true},
			func(r *result) { r.judgeDifferences(nil, list) }, failure},
		{"a difference in a longer field", testCase{},
			func(r *result) { r.judgeDifferences([]difference{{Field: "spec.imagePullPolicy", Ours: "ours"}}, list) }, failure},
		{"another value of ours", testCase{},
			func(r *result) { r.judgeDifferences([]difference{{Field: "spec.image", Ours: "other"}}, list) }, failure},
		{"one listed, one not", testCase{},
			func(r *result) { r.judgeDifferences(append(slices.Clone(image), difference{Field: "spec.b"}), list) }, failure},
		{"one not listed, one listed", testCase{},
			func(r *result) { r.judgeDifferences(append([]difference{{Field: "spec.b"}}, image...), list) }, failure},
		{"kubectl alone refused, listed", testCase{}, func(r *result) { r.judgeRefusals("it cannot be", "", list) }, listed},
		{"kubectl alone refused, for another reason", testCase{}, func(r *result) { r.judgeRefusals("no", "", list) }, failure},
		{"ours alone refused", testCase{}, func(r *result) { r.judgeRefusals("", "it cannot be", list) }, failure},
		{"both refused alike", testCase{}, func(r *result) { r.judgeRefusals("x is invalid: no", "y is invalid: no", list) }, equal},
		{"both refused, one for a listed reason more", testCase{}, func(r *result) {
			r.judgeRefusals("x is invalid: \n* spec.a: no\n* spec.b: it cannot be", "y is invalid: spec.a: no", list)
		}, listed},
		{"both refused, one for another reason more", testCase{}, func(r *result) {
			r.judgeRefusals("x is invalid: spec.a: no", "y is invalid: [spec.a: no, spec.b: it cannot be]", list)
		}, failure},
		{"both refused, in other words", testCase{}, func(r *result) { r.judgeRefusals("no", "never", list) }, failure},
		{"both refused, in other words, as the case says", testCase{BothRefuse: true},
			func(r *result) { r.judgeRefusals("no", "never", list) }, equal},
		{"one refused, both were to", testCase{BothRefuse: true}, func(r *result) { r.judgeRefusals("it cannot be", "", list) }, failure},
	} {
		r := &result{Case: &test.tc}
		test.judge(r)
		r.judgeListed()
		if r.Verdict != test.want {
			t.Errorf("%s: %s %v, want %s", test.name, r.Verdict, r.Details, test.want)
		}
	}
}

func TestSummary(t *testing.T) {
	if err := summarise(io.Discard, []result{{Verdict: equal}, {Verdict: listed}}); err != nil {
		t.Error(err)
	}
	if err := summarise(io.Discard, []result{{Verdict: equal}, {Verdict: failure}}); !errors.Is(err, errFailures) {
		t.Errorf("a failure ended with %v", err)
	}
}
