package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// recordedNamespace is where the bodies of the operator's requests are kept, to be sent again by the raw client.
const recordedNamespace = "recorded"

// auditPolicy has the API server write down who asked what of it: the one view of the requests that cannot leave one out.
// A watch is written down when it begins, everything else when it is done.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Request, users: ["` + operatorUser + `"], namespaces: [` + recordedNamespace + `]}
- {level: Metadata, users: ["` + operatorUser + `", ` + requesterUser + `]}
- {level: None}
`

// request is a line of the audit log.
type request struct {
	AuditID    string
	Verb       string
	RequestURI string
	UserAgent  string
	User       struct{ Username string }
	ObjectRef  struct {
		Resource, Subresource, Namespace, Name string
	}
	ResponseStatus           struct{ Code int }
	RequestObject            json.RawMessage
	RequestReceivedTimestamp time.Time
	StageTimestamp           time.Time
}

// what is how a request is counted. A dry run is a request like another, and worth telling apart.
func (r *request) what() string {
	resource := r.ObjectRef.Resource
	if resource == "" {
		resource, _, _ = strings.Cut(r.RequestURI, "?")
	}
	if r.ObjectRef.Subresource != "" {
		resource += "/" + r.ObjectRef.Subresource
	}
	what := r.Verb + " " + resource
	if strings.Contains(r.RequestURI, "dryRun=All") {
		what += " (dry run)"
	}
	return what
}

func (r *request) byOperator() bool {
	return r.User.Username == operatorUser && r.UserAgent != rawAgent
}

// changes reports whether the request changes something that is stored.
func (r *request) changes() bool {
	switch r.Verb {
	case "create", "update", "patch", "delete":
		return r.ObjectRef.Resource != "subjectaccessreviews" && r.ObjectRef.Subresource != "exec" &&
			!strings.Contains(r.RequestURI, "dryRun=All")
	default:
		return false
	}
}

// auditLog is the API server's. It writes a line before it sends the response.
type auditLog struct{ path string }

// mark is a place in the log: what comes after it has happened since.
func (l *auditLog) mark() (int64, error) {
	info, err := os.Stat(l.path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// since returns the requests after the mark that are wanted, each once, in the order in which they were written down.
func (l *auditLog) since(mark int64, wanted func(*request) bool) ([]request, error) {
	file, err := os.Open(l.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if _, err := file.Seek(mark, io.SeekStart); err != nil {
		return nil, err
	}
	var requests []request
	seen := map[string]bool{}
	reader := bufio.NewReader(file)
	for {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) { // a line without an end is being written
			return requests, nil
		}
		if err != nil {
			return nil, err
		}
		var r request
		if err := json.Unmarshal(bytes.TrimSpace(line), &r); err != nil {
			return nil, fmt.Errorf("a line of %s: %w", l.path, err)
		}
		if !seen[r.AuditID] && wanted(&r) {
			seen[r.AuditID] = true
			requests = append(requests, r)
		}
	}
}
