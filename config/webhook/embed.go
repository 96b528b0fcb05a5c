// Package webhook holds the webhook configurations as they are installed.
package webhook

import _ "embed"

// Manifests are both configurations, as YAML.
//
//go:embed manifests.yaml
var Manifests []byte
