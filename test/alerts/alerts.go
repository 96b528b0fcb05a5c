// Package alerts reads the alerts and the dashboard as Prometheus is to have them, for the tests of both: here by Prometheus' own tool,
// and in test/e2e by a Prometheus that scrapes an operator.
package alerts

import (
	"encoding/json"
	"errors"
	"os"

	"sigs.k8s.io/yaml"
)

// Rules are the alerts of config/prometheus, all that a file of Prometheus would have of them. It is called in a folder of test.
func Rules() (map[string]any, error) {
	text, err := os.ReadFile("../../config/prometheus/rules.yaml")
	if err != nil {
		return nil, err
	}
	var object struct {
		Spec map[string]any `json:"spec"`
	}
	err = yaml.Unmarshal(text, &object)
	return object.Spec, err
}

// Queries are what the dashboard of config/grafana asks. It is called in a folder of test.
func Queries() ([]string, error) {
	text, err := os.ReadFile("../../config/grafana/dashboard.json")
	if err != nil {
		return nil, err
	}
	var board struct {
		Panels []struct {
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(text, &board); err != nil {
		return nil, err
	}
	var all []string
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			all = append(all, target.Expr)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("the dashboard asks nothing")
	}
	return all, nil
}
