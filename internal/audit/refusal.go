package audit

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/util/uuid"

	"debugsession.dev/operator/api/v1alpha1"
)

// OutcomeRefused is what a listing calls what admission let not in.
const OutcomeRefused = "Refused"

const (
	// maxAttempts is how many attempts a refusal tells of: the first, and the last.
	maxAttempts = 8

	// maxWord, maxWords and maxText are how much of what the refused have written a record has, in characters.
	maxWord, maxWords, maxText = 256, 64, 2048
)

// Refusal is what admission has refused to a user in a namespace, once or over and over. Nothing but its record ever tells of it.
type Refusal struct {
	ID        string    `json:"id"`
	Namespace string    `json:"namespace"`
	User      User      `json:"user"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
	Count     int       `json:"count"`             // how often
	Attempts  []Attempt `json:"attempts"`          // the first, and the last; at most 8
	Omitted   int       `json:"omitted,omitempty"` // refusals before this one, of anybody, that no record tells of
}

// Attempt is something that was refused.
type Attempt struct {
	At        time.Time `json:"at"`
	Kind      string    `json:"kind"`
	Operation string    `json:"operation"`
	Name      string    `json:"name,omitempty"`
	Class     string    `json:"class,omitempty"`
	Spec      string    `json:"spec,omitempty"` // as it was sent, in JSON; at most 2,048 characters
	Message   string    `json:"message"`        // why it was refused
}

// AttemptOf is an attempt to have an object stored, of which this much is known whatever it is.
func AttemptOf(at time.Time, kind, operation, name string, object []byte, message string) Attempt {
	var sent struct {
		Spec map[string]json.RawMessage `json:"spec"`
	}
	attempt := Attempt{At: at.UTC().Truncate(time.Second), Kind: kind, Operation: operation, Name: cut(name, maxWord), Message: cut(message, maxText)}
	if json.Unmarshal(object, &sent) != nil { // what cannot be read asks for nothing
		return attempt
	}
	var class string
	if json.Unmarshal(sent.Spec["className"], &class) == nil {
		attempt.Class = cut(class, maxWord)
	}
	delete(sent.Spec, "requester") // who it was stands beside it; and a seal must get nowhere else
	delete(sent.Spec, "approver")
	if spec, err := json.Marshal(sent.Spec); err == nil && len(sent.Spec) > 0 {
		attempt.Spec = cut(string(spec), maxText)
	}
	return attempt
}

// NewRefusal is that of the first attempt.
func NewRefusal(namespace string, user User, first Attempt) *Refusal {
	r := &Refusal{ID: string(uuid.NewUUID()), Namespace: namespace, User: user, First: first.At}
	r.Add(first)
	return r
}

// Add counts one more attempt.
func (r *Refusal) Add(one Attempt) {
	r.Count++
	r.Last = one.At
	if len(r.Attempts) == maxAttempts {
		r.Attempts[maxAttempts-1] = one
		return
	}
	r.Attempts = append(r.Attempts, one)
}

// OfRefusal is the record of a refusal.
func OfRefusal(cluster string, refusal *Refusal) *Record {
	return &Record{Schema: SchemaURI, Cluster: cluster, Type: TypeRefusal, Refusal: refusal}
}

// UserFrom is a user of whom the API server says so, in bounds: what an authenticator knows of somebody may be much.
func UserFrom(info *authenticationv1.UserInfo) User {
	user := User{Username: cut(info.Username, maxWord), UID: cut(info.UID, maxWord), Groups: cutAll(info.Groups)}
	for _, key := range slices.Sorted(maps.Keys(info.Extra)) {
		if len(user.Extra) == maxWords || len(key) > maxWord {
			break
		}
		if user.Extra == nil {
			user.Extra = map[string]v1alpha1.ExtraValue{}
		}
		user.Extra[key] = cutAll(info.Extra[key])
	}
	return user
}

func cutAll(words []string) []string {
	if len(words) > maxWords {
		words = words[:maxWords]
	}
	words = slices.Clone(words)
	for i := range words {
		words[i] = cut(words[i], maxWord)
	}
	return words
}

// cut is the beginning of a text.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-1]) + "…"
}
