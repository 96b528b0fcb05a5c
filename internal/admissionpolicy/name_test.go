package admissionpolicy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"testing"
)

// named is the policy that has the Name: changed, it is another, and takes the next name.
const named = "32011b5082a777ea"

func TestAnotherPolicyHasAnotherName(t *testing.T) {
	raw, err := json.Marshal([]any{installed().policy.Spec, installed().binding.Spec})
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(raw)
	if got := hex.EncodeToString(sum[:8]); got != named {
		t.Errorf("the policy or its binding was changed: give it the name after %s (Name, config/identity, the RBAC marker), and %q here", Name, got)
	}
}
