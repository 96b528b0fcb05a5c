// Package jsonpatch sends JSON patches: what is written by one counts whatever else was written since the object was read, as
// long as its tests hold.
package jsonpatch

import (
	"encoding/json"

	"gomodules.xyz/jsonpatch/v2"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Patch is a client.Patch of these operations.
type Patch []jsonpatch.Operation

// Test has the patch refused, as invalid, unless that is the value at path.
func Test(path string, value any) jsonpatch.Operation {
	return jsonpatch.NewOperation("test", path, value)
}

// Add writes a value, whether there was one or not.
func Add(path string, value any) jsonpatch.Operation {
	return jsonpatch.NewOperation("add", path, value)
}

// Remove takes away what is at path.
func Remove(path string) jsonpatch.Operation {
	return jsonpatch.NewOperation("remove", path, nil)
}

// Type says that it is a JSON patch.
func (p Patch) Type() types.PatchType { return types.JSONPatchType }

// Data is the patch as it is sent.
func (p Patch) Data(client.Object) ([]byte, error) { return json.Marshal(p) }
