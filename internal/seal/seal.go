// Package seal marks what the operator's admission wrote, so that nobody else can have written it.
//
// A session says who asked for it and an approval who gave it. The API server lets whoever may create the object write
// anything there whenever the operator's webhooks are not in place. So admission adds a keyed hash over what it has seen
// and stamped, and the operator does nothing for an object whose hash is not right.
package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"debugsession.dev/operator/api/v1alpha1"
)

// Sealer makes and verifies seals with one key. It may be used by many goroutines at once.
type Sealer struct {
	key []byte
}

// New returns a Sealer with this key, as LoadOrCreateKey returns it.
func New(key []byte) *Sealer {
	return &Sealer{key: key}
}

// Session returns the seal of a session of the namespace: 43 characters. It covers the whole spec but for ttl and end,
// which may be changed later, and the seal itself. It does not cover the name, which the API server may have still to
// generate, nor anything else in the metadata.
func (s *Sealer) Session(namespace string, spec *v1alpha1.DebugSessionSpec) string {
	covered := *spec
	covered.TTL, covered.End = nil, false
	covered.Requester = unsealed(spec.Requester)
	return s.sum("DebugSession", namespace, &covered)
}

// VerifySession tells whether admission wrote the session's spec as it is, in the namespace it is in.
func (s *Sealer) VerifySession(session *v1alpha1.DebugSession) bool {
	return session.Spec.Requester != nil &&
		equal(session.Spec.Requester.Seal, s.Session(session.Namespace, &session.Spec))
}

// Approval returns the seal of an approval of the namespace: 43 characters. It covers the whole spec but for the seal.
func (s *Sealer) Approval(namespace string, spec *v1alpha1.DebugApprovalSpec) string {
	return s.approval("DebugApproval", namespace, spec)
}

// VerifyApproval tells whether admission wrote the approval's spec as it is, in the namespace it is in.
func (s *Sealer) VerifyApproval(approval *v1alpha1.DebugApproval) bool {
	return approval.Spec.Approver != nil &&
		equal(approval.Spec.Approver.Seal, s.Approval(approval.Namespace, &approval.Spec))
}

// UnboundApproval returns the seal of an approval that is let in while no session asks for one. It counts for nothing, whatever it says
// that it is for: nobody was asked whether its author may approve.
func (s *Sealer) UnboundApproval(namespace string, spec *v1alpha1.DebugApprovalSpec) string {
	return s.approval("DebugApproval that is bound to no session", namespace, spec)
}

func (s *Sealer) approval(kind, namespace string, spec *v1alpha1.DebugApprovalSpec) string {
	covered := *spec
	covered.Approver = unsealed(spec.Approver)
	return s.sum(kind, namespace, &covered)
}

// VerifyUnboundApproval reports whether admission let the approval in as one that is bound to no session.
func (s *Sealer) VerifyUnboundApproval(approval *v1alpha1.DebugApproval) bool {
	return approval.Spec.Approver != nil &&
		equal(approval.Spec.Approver.Seal, s.UnboundApproval(approval.Namespace, &approval.Spec))
}

// HashKey returns a key for the hash that stands for what is approved: by it nobody learns the key of the seals.
func (s *Sealer) HashKey() []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte("hash of what is approved"))
	return mac.Sum(nil)
}

// sum goes through the Go types: whatever differs in the JSON that the API server holds and means the same (a field left
// out or empty, the order of fields, how a duration, a quantity or a time is written) makes the same seal. A field that is
// added to the types later must be left out of the JSON when it is not set, and must have no default in the schema: the
// API server would add that to stored objects as they are read.
func (s *Sealer) sum(kind, namespace string, spec any) string {
	canonical, err := json.Marshal(struct {
		Kind      string `json:"kind"`
		Namespace string `json:"namespace"`
		Spec      any    `json:"spec"`
	}{kind, namespace, spec})
	if err != nil {
		panic(fmt.Sprintf("a spec that was decoded from JSON cannot be encoded: %v", err))
	}
	mac := hmac.New(sha256.New, s.key)
	mac.Write(canonical)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func unsealed(identity *v1alpha1.Identity) *v1alpha1.Identity {
	if identity == nil {
		return nil
	}
	copied := *identity
	copied.Seal = ""
	return &copied
}

// equal takes the same time wherever the two differ.
func equal(got, want string) bool {
	return hmac.Equal([]byte(got), []byte(want))
}
