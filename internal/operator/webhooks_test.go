package operator

import (
	"slices"
	"testing"

	"github.com/go-logr/logr/funcr"
)

func TestReadinessIsLogged(t *testing.T) {
	var lines []string
	log := funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{})
	logReadiness(log, "the policy is missing")
	logReadiness(log, "")
	want := []string{
		`"level"=0 "msg"="readiness of the webhooks changed" "ready"=false "error"="the policy is missing"`,
		`"level"=0 "msg"="readiness of the webhooks changed" "ready"=true`,
	}
	if !slices.Equal(lines, want) {
		t.Errorf("logged %q, want %q", lines, want)
	}
}
