// Package crd holds the CustomResourceDefinitions as they are installed.
package crd

import "embed"

// Bases are the CRDs, a YAML file each.
//
//go:embed bases/*.yaml
var Bases embed.FS
