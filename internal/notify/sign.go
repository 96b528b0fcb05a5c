package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of Standard Webhooks.
const (
	headerID        = "webhook-id"
	headerTimestamp = "webhook-timestamp"
	headerSignature = "webhook-signature"
)

const (
	// secretPrefix begins a secret that is written as Standard Webhooks does, in base64. Any other is taken as it is.
	secretPrefix = "whsec_"

	// minSecret is how short a secret may be, in bytes.
	minSecret = 16
)

// signingKey reads what messages are signed with.
func signingKey(secret []byte) ([]byte, error) {
	if encoded, ok := strings.CutPrefix(strings.TrimSpace(string(secret)), secretPrefix); ok {
		key, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, errors.New("the part after whsec_ is not base64")
		}
		secret = key
	}
	if len(secret) < minSecret {
		return nil, errors.New("it is too short for a signing key: it must have at least 16 bytes")
	}
	return secret, nil
}

// sign sets the headers by which who gets a message knows that it is this operator's, is whole, and is no replay.
func sign(header http.Header, key []byte, id string, at time.Time, body []byte) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	header.Set(headerID, id)
	header.Set(headerTimestamp, timestamp)
	header.Set(headerSignature, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}
