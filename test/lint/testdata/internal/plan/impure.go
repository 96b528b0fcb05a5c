// Package plan breaks the rules that keep internal/plan pure, on the lines that say so.
package plan

import (
	_ "context" // refused
	"fmt"
	_ "math/rand/v2" // refused
	_ "net/http"     // refused
	"os"             // refused
	"time"

	_ "github.com/go-logr/logr" // refused
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	names "k8s.io/apimachinery/pkg/util/rand"
	_ "k8s.io/apimachinery/pkg/util/wait"         // refused
	_ "k8s.io/client-go/kubernetes"               // refused
	_ "sigs.k8s.io/controller-runtime/pkg/client" // refused

	"debugsession.dev/operator/api/v1alpha1"
	_ "debugsession.dev/operator/controllers/debugsession" // refused
	_ "debugsession.dev/operator/internal/debugpod"
)

// Pure takes the time as a parameter.
func Pure(now time.Time, session *v1alpha1.DebugSession) string {
	return fmt.Sprint(session.Name, now.Sub(session.CreationTimestamp.Time).Round(time.Second))
}

// Impure answers otherwise at every call: the clock under three names, chance and the environment.
func Impure(then time.Time) string {
	read := time.Now // refused
	now := metav1.Now() // refused
	return fmt.Sprint(
		read(), now,
		time.Since(then), // refused
		names.String(5),  // refused
		names.SafeEncodeString("a name from an UID"),
		os.Getenv("NAME"),
	)
}
