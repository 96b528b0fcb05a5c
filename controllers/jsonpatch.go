package controllers

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// operation is one of a JSON patch's.
type operation map[string]any

// jsonPatch counts whatever was written since the object was read, if it still is as the tests among its operations say.
func jsonPatch(operations ...operation) client.Patch {
	patch, err := json.Marshal(operations)
	if err != nil {
		panic(err) // plain data
	}
	return client.RawPatch(types.JSONPatchType, patch)
}

func test(path string, value any) operation {
	return operation{"op": "test", "path": path, "value": value}
}
