// Package identity holds the ValidatingAdmissionPolicy by which the API server itself holds what is stamped against who asks.
package identity

import _ "embed"

// Manifests are the policy and its binding, as YAML.
//
//go:embed identity.yaml
var Manifests []byte
