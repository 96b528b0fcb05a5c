// Package alerts reads the alerts and the dashboard as Prometheus is to have them, for the tests of both: here by Prometheus' own tool,
// and in test/integration and test/e2e by a Prometheus that scrapes an operator.
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

// Panel is one picture of the dashboard, or the heading of a row.
type Panel struct {
	Type, Title string
	GridPos     struct{ H, W, X, Y int }
	Targets     []struct{ Expr, LegendFormat string }
	FieldConfig struct {
		Defaults struct {
			Unit       string
			Thresholds struct {
				Steps []struct {
					Color string
					Value *float64
				}
			}
		}
	}
}

// Panels are those of the dashboard of config/grafana. It is called in a folder of test.
func Panels() ([]Panel, error) {
	text, err := os.ReadFile("../../config/grafana/dashboard.json")
	if err != nil {
		return nil, err
	}
	var board struct{ Panels []Panel }
	err = json.Unmarshal(text, &board)
	return board.Panels, err
}

// Queries are what the dashboard asks. It is called in a folder of test.
func Queries() ([]string, error) {
	panels, err := Panels()
	if err != nil {
		return nil, err
	}
	var all []string
	for _, panel := range panels {
		for _, target := range panel.Targets {
			all = append(all, target.Expr)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("the dashboard asks nothing")
	}
	return all, nil
}
