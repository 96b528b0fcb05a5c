// Package classes holds the DebugClass that an installation begins with.
package classes

import _ "embed"

// Standard is the class standard, as YAML.
//
//go:embed standard.yaml
var Standard []byte
