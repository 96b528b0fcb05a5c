package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	chainPrefix = "chain/"

	// signed is what is signed before a link, so that a signature of something else never does for one.
	signed = "debugsession.dev audit link v1\n"
)

// Link is an entry of the chain: it stands for a record's text, and for the link before it, and the operator has signed it. Links are
// numbered from 1 without a gap. Whoever changes, removes or moves a record would have to sign every link from there on.
type Link struct {
	Sequence  int64     `json:"sequence"`
	Previous  string    `json:"previous,omitempty"` // SHA-256 of the text of the link before, in hex; empty for the first
	Key       string    `json:"key"`                // where the record is
	SHA256    string    `json:"sha256"`             // of the record's text, in hex
	At        time.Time `json:"at"`                 // when it was written
	Record    string    `json:"record,omitempty"`   // the record's text: it is written after its link
	Signature string    `json:"signature"`          // Ed25519 of the link without it, in base64
}

// Head is where a chain ends. Kept apart from the store, it tells whether the chain was cut off.
type Head struct {
	Sequence int64  `json:"sequence"`
	SHA256   string `json:"sha256"` // of the last link's text
}

// Append is the link that follows a head, and its text.
func Append(head Head, key string, record []byte, at time.Time, private ed25519.PrivateKey) (*Link, []byte, error) {
	link := &Link{
		Sequence: head.Sequence + 1, Previous: head.SHA256, Key: key, SHA256: Digest(record), At: at.UTC().Truncate(time.Second), Record: string(record),
	}
	unsigned, err := link.unsigned()
	if err != nil {
		return nil, nil, err
	}
	link.Signature = base64.StdEncoding.EncodeToString(ed25519.Sign(private, unsigned))
	text, err := json.Marshal(link)
	return link, text, err
}

// LinkKey is where a link is kept.
func LinkKey(sequence int64) string { return fmt.Sprintf("%s%012d.json", chainPrefix, sequence) }

// sequenceOf is the number of the link that is kept there; 0 if none can be.
func sequenceOf(key string) int64 {
	digits, _ := strings.CutPrefix(strings.TrimSuffix(key, ".json"), chainPrefix)
	sequence, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || LinkKey(sequence) != key {
		return 0
	}
	return sequence
}

// ParseLink reads a link, and checks that it is one of the operator's.
func ParseLink(text []byte, public ed25519.PublicKey) (*Link, error) {
	link := &Link{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(link); err != nil {
		return nil, err
	}
	signature, err := base64.StdEncoding.DecodeString(link.Signature)
	if err != nil {
		return nil, fmt.Errorf("its signature is not base64: %w", err)
	}
	unsigned, err := link.unsigned()
	if err != nil {
		return nil, err
	}
	if !ed25519.Verify(public, unsigned, signature) {
		return nil, errors.New("its signature is not the operator's")
	}
	return link, nil
}

func (l *Link) unsigned() ([]byte, error) {
	plain := *l
	plain.Signature = ""
	text, err := json.Marshal(plain)
	return append([]byte(signed), text...), err
}

// Digest is the SHA-256 of a text, in hex.
func Digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
