package operator

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// started is what an operator logs that starts on an API server which answers so.
func started(t *testing.T, code int, answer string) []string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/version" {
			t.Errorf("it asks for %s", r.URL.Path)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = w.Write([]byte(answer))
	}))
	defer server.Close()
	var lines []string
	logger := funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{})
	LogStart(log.IntoContext(t.Context(), logger), &rest.Config{Host: server.URL}, "v1.2.3")
	return lines
}

func TestStartIsLoggedWithVersions(t *testing.T) {
	const tooOld = "the API server is older than any that this operator was tried with"
	for server, want := range map[string]struct {
		line    string
		warning bool
	}{
		"v1.37.2":              {`"msg"="starting" "version"="v1.2.3" "serverVersion"="v1.37.2" "missingFeatures"=[]`, false},
		"v1.40.0-alpha.1+k3s1": {`"serverVersion"="v1.40.0-alpha.1+k3s1" "missingFeatures"=[]`, false},
		"v1.36.3-gke.1080000":  {`"missingFeatures"=["volumeMounts[].bindMountOptions"]`, false},
		"v1.34.4":              {`"missingFeatures"=["env[].valueFrom.fileKeyRef" "volumeMounts[].bindMountOptions"]`, false},
		"v1.33.0":              {`"missingFeatures"=["WatchList" "containers[].restartPolicy" "env[].valueFrom.fileKeyRef" "volumeMounts[].bindMountOptions"]`, false},
		"v1.32.13-eks-113cf36": {`"missingFeatures"=["WatchList" `, true},
		"unknown":              {`"msg"="starting, without knowing the API server's version" "version"="v1.2.3" "serverVersion"="unknown" "error"=`, false},
	} {
		lines := started(t, http.StatusOK, fmt.Sprintf(`{"major": "1", "minor": "x", "gitVersion": %q}`, server))
		if len(lines) == 0 || !strings.Contains(strings.ReplaceAll(lines[0], `","`, `" "`), want.line) {
			t.Errorf("%s: the log says %q, want %s", server, lines, want.line)
		}
		warned := slices.ContainsFunc(lines, func(line string) bool {
			return strings.Contains(line, tooOld) && strings.Contains(line, `"oldest"="1.33"`)
		})
		if warned != want.warning || len(lines) > 2 {
			t.Errorf("%s: warned %t, want %t: %q", server, warned, want.warning, lines)
		}
	}
}

func TestStartDoesNotNeedTheServersVersion(t *testing.T) {
	lines := started(t, http.StatusForbidden, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "no"}`)
	if len(lines) != 1 || !strings.Contains(lines[0], `"msg"="starting, without knowing the API server's version" "version"="v1.2.3" "error"=`) {
		t.Errorf("the log says %q", lines)
	}
}

// docs/versions.md tells what an older version lacks, and since when it is there.
func TestVersionsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/versions.md")
	if err != nil {
		t.Fatal(err)
	}
	documented, want := map[string]string{}, map[string]string{}
	for _, feature := range features {
		want[feature.name] = fmt.Sprintf("1.%d", feature.since)
		for line := range strings.Lines(string(text)) {
			if cells := strings.Split(line, "|"); len(cells) == 5 && strings.Contains(cells[1], "`"+feature.name+"`") {
				documented[feature.name] = strings.TrimRight(strings.Fields(cells[2])[0], ",;")
			}
		}
	}
	if diff := cmp.Diff(want, documented); diff != "" {
		t.Errorf("docs/versions.md differs (-features +documented):\n%s", diff)
	}
	if oldest := fmt.Sprintf("The operator is made for Kubernetes 1.%d to ", oldestMinor); !strings.Contains(string(text), oldest) {
		t.Errorf("docs/versions.md does not say %q", oldest)
	}
}
