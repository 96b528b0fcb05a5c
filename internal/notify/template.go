package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"

	"debugsession.dev/operator/api/v1alpha1"
)

const (
	// maxBody is how long what a template makes may be, in bytes.
	maxBody = 64 << 10

	// maxLoops is how deep loops may be nested, and maxNumber is the largest number that a template may have: more would only keep the
	// operator busy.
	maxLoops, maxNumber = 2, 1000
)

var errTooLong = fmt.Errorf("the rendered template is longer than %d bytes", maxBody)

// parseTemplate parses a sink's template. Its secrets are read when it is executed.
func parseTemplate(body string, secret func(string) (string, error)) (*template.Template, error) {
	t, err := template.New("body").Option("missingkey=error").Funcs(template.FuncMap{"json": toJSON, "secret": secret}).Parse(body)
	if err != nil {
		return nil, err
	}
	if t.Tree == nil || len(t.Templates()) != 1 {
		return nil, errors.New("it must not be empty or define templates")
	}
	return t, bounded(t.Tree.Root, 0)
}

// toJSON makes a value of JSON, quoted as it has to be.
func toJSON(value any) (string, error) {
	text, err := json.Marshal(value)
	return string(text), err
}

// bounded refuses what could run for long before it writes anything: that is all that a bound of what is written cannot stop.
func bounded(node parse.Node, loops int) error {
	switch node := node.(type) {
	case *parse.ListNode:
		if node == nil {
			return nil
		}
		return boundedAll(node.Nodes, loops)
	case *parse.TemplateNode:
		return errors.New("it must not call templates")
	case *parse.RangeNode:
		if loops == maxLoops {
			return fmt.Errorf("it must not nest more than %d loops", maxLoops)
		}
		return errors.Join(bounded(node.Pipe, loops), bounded(node.List, loops+1), bounded(node.ElseList, loops))
	case *parse.IfNode:
		return boundedBranches(&node.BranchNode, loops)
	case *parse.WithNode:
		return boundedBranches(&node.BranchNode, loops)
	case *parse.ActionNode:
		return bounded(node.Pipe, loops)
	case *parse.PipeNode:
		return boundedPipe(node, loops)
	case *parse.NumberNode:
		if value, err := strconv.ParseFloat(node.Text, 64); err != nil || value > maxNumber || value < -maxNumber {
			return fmt.Errorf("the number %s is larger than %d", node.Text, maxNumber)
		}
	}
	return nil
}

func boundedBranches(node *parse.BranchNode, loops int) error {
	return errors.Join(bounded(node.Pipe, loops), bounded(node.List, loops), bounded(node.ElseList, loops))
}

func boundedPipe(node *parse.PipeNode, loops int) error {
	if node == nil {
		return nil
	}
	for _, command := range node.Cmds {
		if err := boundedAll(command.Args, loops); err != nil {
			return err
		}
	}
	return nil
}

func boundedAll(nodes []parse.Node, loops int) error {
	for _, node := range nodes {
		if err := bounded(node, loops); err != nil {
			return err
		}
	}
	return nil
}

// execute makes the body of a message.
func execute(t *template.Template, contentType string, m *Message) ([]byte, error) {
	var body boundedWriter
	if err := t.Execute(&body, m); err != nil {
		if errors.Is(err, errTooLong) {
			return nil, errTooLong
		}
		return nil, err
	}
	if strings.HasPrefix(contentType, "application/json") && !json.Valid(body.written) {
		return nil, fmt.Errorf("the template renders invalid JSON for %s: quote each value with the function json, as in {{ json .Text }}", m.Type)
	}
	return body.written, nil
}

// try makes a body for each type that a sink is told of, of a message that is made up.
func try(t *template.Template, contentType string, types []v1alpha1.NotificationType) error {
	for _, of := range types {
		if _, err := execute(t, contentType, example(of)); err != nil {
			return err
		}
	}
	return nil
}

type boundedWriter struct{ written []byte }

func (w *boundedWriter) Write(p []byte) (int, error) {
	if len(w.written)+len(p) > maxBody {
		return 0, errTooLong
	}
	w.written = append(w.written, p...)
	return len(p), nil
}
