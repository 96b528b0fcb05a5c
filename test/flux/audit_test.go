package flux

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"

	. "github.com/onsi/gomega"

	"debugsession.dev/operator/internal/operator"
)

// writes are how often each side has written: requests that the API server has carried out, whether they changed anything or not. Dry
// runs are none.
type writes struct{ flux, operator, others int }

const (
	fluxNamespace = "flux-system"
	fluxName      = "system:serviceaccount:" + fluxNamespace + ":kustomize-controller"
	operatorName  = "system:serviceaccount:" + operator.DefaultNamespace + ":debugsession-operator"
)

// event is what of an audit event is looked at. User is whose credentials were shown, also where somebody else was impersonated.
type event struct {
	RequestURI     string                           `json:"requestURI"`
	User           struct{ Username string }        `json:"user"`
	ObjectRef      struct{ Namespace, Name string } `json:"objectRef"`
	ResponseStatus struct{ Code int }               `json:"responseStatus"`
}

// written reads from the audit log who wrote a namespace's sessions and approvals: those of that name, or all.
func (w *world) written(g Gomega, namespace, name string) writes {
	file, err := os.Open(w.auditLog)
	g.Expect(err).NotTo(HaveOccurred())
	defer file.Close()
	counted := writes{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		g.Expect(json.Unmarshal(lines.Bytes(), &e)).To(Succeed(), lines.Text())
		if e.ObjectRef.Namespace != namespace || (name != "" && e.ObjectRef.Name != name) ||
			e.ResponseStatus.Code >= 300 || strings.Contains(e.RequestURI, "dryRun=All") {
			continue
		}
		switch e.User.Username {
		case fluxName:
			counted.flux++
		case operatorName:
			counted.operator++
		default:
			counted.others++
		}
	}
	g.Expect(lines.Err()).NotTo(HaveOccurred())
	return counted
}
