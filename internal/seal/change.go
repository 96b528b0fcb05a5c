package seal

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"debugsession.dev/operator/api/v1alpha1"
)

// maxChange is the longest text that is looked at for a change.
const maxChange = 4096

// sealedChange is a change as the annotation has it behind the user's name.
type sealedChange struct {
	At   metav1.Time        `json:"at"`
	TTL  *v1alpha1.Duration `json:"ttl,omitempty"`
	End  bool               `json:"end,omitempty"`
	Seal string             `json:"seal,omitempty"`
}

// Change is the annotation that says who has set a session's ttl and end to what its spec has. It begins with how many characters the
// user's name has, and the name, so that the policy in config/identity can hold it against who asks.
func (s *Sealer) Change(session *v1alpha1.DebugSession, by string, at time.Time) string {
	change := sealedChange{At: metav1.NewTime(at.UTC().Truncate(time.Second)), End: session.Spec.End}
	if session.Spec.TTL != nil {
		change.TTL = &v1alpha1.Duration{Duration: session.Spec.TTL.Duration}
	}
	change.Seal = s.change(session.UID, change.by(by))
	text, err := json.Marshal(change)
	if err != nil {
		panic(err) // plain data
	}
	return fmt.Sprintf("%d:%s %s", utf8.RuneCountInString(by), by, text)
}

// VerifyChange returns who has set the session's ttl and end to what its spec has; nil if no change that admission has sealed says so.
func (s *Sealer) VerifyChange(session *v1alpha1.DebugSession) *v1alpha1.ChangeStatus {
	by, text, ok := named(session.Annotations[v1alpha1.AnnotationChangedBy])
	var sealed sealedChange
	if !ok || json.Unmarshal([]byte(text), &sealed) != nil {
		return nil
	}
	sealed.At = metav1.NewTime(sealed.At.UTC()) // as it was sealed
	change := sealed.by(by)
	if !equal(sealed.Seal, s.change(session.UID, change)) || change.End != session.Spec.End ||
		(change.TTL == nil) != (session.Spec.TTL == nil) || change.TTL != nil && change.TTL.Duration != session.Spec.TTL.Duration {
		return nil
	}
	return change
}

func (c *sealedChange) by(who string) *v1alpha1.ChangeStatus {
	return &v1alpha1.ChangeStatus{By: who, At: c.At, TTL: c.TTL, End: c.End}
}

// named takes the user's name from what is said of them.
func named(text string) (by, rest string, ok bool) {
	length, text, ok := strings.Cut(text, ":")
	n, err := strconv.Atoi(length)
	characters := []rune(text[:min(len(text), maxChange)])
	if !ok || err != nil || n < 0 || n >= len(characters) || characters[n] != ' ' || len(text) > maxChange {
		return "", "", false
	}
	return string(characters[:n]), string(characters[n+1:]), true
}

func (s *Sealer) change(session types.UID, change *v1alpha1.ChangeStatus) string {
	return s.sum("change of a DebugSession", string(session), change)
}
