package admission

import (
	"fmt"
	"maps"
	"slices"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"debugsession.dev/operator/api/v1alpha1"
)

// identify returns who the API server saw, unless the manifest says it is somebody else. Then it returns how they differ.
// What a manifest says of the seal does not matter: it is made anew.
func identify(given *v1alpha1.Identity, user *authenticationv1.UserInfo) (identity *v1alpha1.Identity, differs string) {
	identity = identityOf(user)
	return identity, contradicts(given, identity)
}

// identityOf is the user as sessions and approvals record one.
func identityOf(user *authenticationv1.UserInfo) *v1alpha1.Identity {
	return &v1alpha1.Identity{Username: user.Username, UID: user.UID, Groups: user.Groups, Extra: recorded(user.Extra)}
}

// contradicts says how what a manifest claims differs from what is so. What it leaves out contradicts nothing.
func contradicts(given, actual *v1alpha1.Identity) string {
	switch {
	case given == nil:
		return ""
	case given.Username != actual.Username:
		return fmt.Sprintf("username is %q, but you are %q", given.Username, actual.Username)
	case given.UID != "" && given.UID != actual.UID:
		return fmt.Sprintf("uid is %q, but yours is %q", given.UID, actual.UID)
	case len(given.Groups) > 0 && !maps.Equal(set(given.Groups), set(actual.Groups)):
		return fmt.Sprintf("groups are %q, but yours are %q", given.Groups, actual.Groups)
	case len(given.Extra) > 0 && !equality.Semantic.DeepEqual(given.Extra, actual.Extra):
		return fmt.Sprintf("extra is %q, but yours is %q", given.Extra, actual.Extra)
	}
	return ""
}

// recorded is what the authenticator said of the user, as the session or approval keeps it.
func recorded(extra map[string]authenticationv1.ExtraValue) map[string]v1alpha1.ExtraValue {
	if len(extra) == 0 {
		return nil
	}
	result := make(map[string]v1alpha1.ExtraValue, len(extra))
	for key, values := range extra {
		result[key] = v1alpha1.ExtraValue(values)
	}
	return result
}

func set(words []string) map[string]struct{} {
	words = slices.Clone(words)
	result := make(map[string]struct{}, len(words))
	for _, word := range words {
		result[word] = struct{}{}
	}
	return result
}
