package audit

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// AnchorName is the ConfigMap, in the operator's namespace, that has an Anchor.
const AnchorName = "debugsession-audit"

// Anchor is what a store is verified with, kept apart from it: whose signatures count, and where the chain ends.
type Anchor struct {
	Store  string
	Public ed25519.PublicKey
	Head   Head
}

// Data is the anchor as the ConfigMap has it.
func (a Anchor) Data() map[string]string {
	return map[string]string{"store": a.Store, "publicKey": base64.StdEncoding.EncodeToString(a.Public), "head": a.Head.String()}
}

// ParseAnchor reads the ConfigMap.
func ParseAnchor(from *corev1.ConfigMap) (*Anchor, error) {
	public, err := ParsePublicKey(from.Data["publicKey"])
	if err != nil {
		return nil, fmt.Errorf("configmap %s/%s: %w", from.Namespace, from.Name, err)
	}
	head, err := ParseHead(from.Data["head"])
	if err != nil {
		return nil, fmt.Errorf("configmap %s/%s: %w", from.Namespace, from.Name, err)
	}
	return &Anchor{Store: from.Data["store"], Public: public, Head: *head}, nil
}

// ParsePublicKey reads a public key as an anchor has it.
func ParsePublicKey(text string) (ed25519.PublicKey, error) {
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%q is not a base64-encoded Ed25519 public key", text)
	}
	return key, nil
}

// String is a head as an anchor has it: its number, a colon, and the SHA-256 of its text.
func (h Head) String() string { return strconv.FormatInt(h.Sequence, 10) + ":" + h.SHA256 }

// ParseHead reads that.
func ParseHead(text string) (*Head, error) {
	number, sha256, found := strings.Cut(text, ":")
	sequence, err := strconv.ParseInt(number, 10, 64)
	if !found || err != nil || sequence < 0 {
		return nil, fmt.Errorf("%q is not a chain head: expected a number, a colon and a hex SHA-256", text)
	}
	return &Head{Sequence: sequence, SHA256: sha256}, nil
}
