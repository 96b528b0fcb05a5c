// Package crdschema validates an object against its CRD's schema, as the API server does, but for the rules in CEL.
//
// The API server skips those rules if something more basic is wrong, such as an enum or a type, and then adds
// "<nil>: Invalid value: null: some validation rules were not checked …" to its answer. Whoever validates first with this package
// can leave that line out. It uses the API server's own validator, so that the rest of the answer is word for word the same.
//
// It says nothing where it is not sure that the API server would refuse: the API server decides.
package crdschema
