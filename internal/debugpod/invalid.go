package debugpod

// InvalidError says that a session cannot be built as it is written, however often it is tried: what is wrong, where,
// and what to do about it. Any other error from this package means that it was called too early.
type InvalidError struct {
	// Field is the path of the field to change, such as spec.podCopy.containers[1].name.
	Field string

	// Message is for whoever wrote the session.
	Message string
}

// Error is the field and the message.
func (e *InvalidError) Error() string {
	return e.Field + ": " + e.Message
}
