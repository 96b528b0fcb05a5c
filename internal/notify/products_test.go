package notify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/test/ports"
)

// sampleSink is the sink of a sample.
func sampleSink(t *testing.T, name string) *v1alpha1.DebugSinkSpec {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "samples", "sinks", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	sink := &v1alpha1.DebugSink{}
	if err := yaml.UnmarshalStrict(text, sink); err != nil {
		t.Fatal(err)
	}
	return &sink.Spec
}

// longest is a message of a type in which all that users write is as long as it may be.
func longest(of v1alpha1.NotificationType) *Message {
	long := strings.Repeat("€", 2*maxField)
	switch of {
	case v1alpha1.NotifyRefused:
		return refused(&Refusal{User: line(long), Kind: "DebugSession", Operation: "CREATE", Namespace: long[:63], Name: line(long),
			Class: line(long), Message: line(long)}, "longest", t0)
	case v1alpha1.NotifyTampered:
		return example(of)
	}
	session := exampleSession()
	session.Name, session.Namespace, session.Spec.ClassName = strings.Repeat("n", 253), strings.Repeat("s", 63), strings.Repeat("c", 253)
	session.Spec.Reason, session.Spec.Requester.Username, session.Spec.Debugger.Image = long, long, long
	session.Status.WaitingFor, session.Status.ApprovedBy = long, long
	if of == v1alpha1.NotifyDenied || of == v1alpha1.NotifyEnded {
		session.Status.Phase = v1alpha1.PhaseEnded
	}
	return messageOf(session, move{notificationType: of, at: t0})
}

// What the samples make is what the products' documentation says that they take, also of the longest that users can write.
func TestSamplesAreWhatProductsTake(t *testing.T) {
	secret := map[string][]byte{
		"slack-url": []byte("https://hooks.example.com/services/T0/B0/x"), "teams-url": []byte("https://example.logic.azure.com/x"),
		"pagerduty-routing-key": []byte("0123456789abcdef0123456789abcdef"),
	}
	for name, most := range map[string]int{"slack": 64 << 10, "teams": 28 << 10, "pagerduty": 512 << 10} { // bytes of a body
		t.Run(name, func(t *testing.T) {
			documented := readSchema(t, "testdata", name+".schema.json")
			sample := sampleSink(t, name)
			to, err := newSender(sample, secret)
			if err != nil {
				t.Fatal(err)
			}
			for _, of := range typesOf(sample) {
				for _, message := range []*Message{example(of), longest(of)} {
					body, err := execute(to.template, to.contentType, message)
					if err != nil {
						t.Fatal(err)
					}
					documented.holds(t, of, body)
					if len(body) > most {
						t.Errorf("%s: has %d bytes, of which %s takes %d", of, len(body), name, most)
					}
				}
			}
		})
	}
}

// alertmanager is a real one that runs as long as the test.
func alertmanager(t *testing.T) (address string) {
	t.Helper()
	binary, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		binary, err = exec.LookPath("alertmanager")
	}
	if err != nil {
		const reason = "there is no alertmanager: it is in Debian's package prometheus-alertmanager"
		if os.Getenv("CI") != "" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	port, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	config := filepath.Join(folder, "alertmanager.yml")
	if err := os.WriteFile(config, []byte("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	listens := fmt.Sprint("127.0.0.1:", port)
	var said bytes.Buffer
	cmd := exec.Command(binary, "--config.file="+config, "--storage.path="+folder, "--web.listen-address="+listens,
		"--cluster.listen-address=")
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if response, err := http.Get("http://" + listens + "/-/ready"); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return "http://" + listens
			}
		}
		if time.Now().After(end) {
			t.Fatalf("Alertmanager is not ready: %s", said.String())
		}
	}
}

// alert is one as Alertmanager's API tells it.
type alert struct {
	Labels map[string]string `json:"labels"`
	EndsAt time.Time         `json:"endsAt"`
	Status struct {
		State string `json:"state"`
	} `json:"status"`
}

// alerts are those that have not been resolved.
func alerts(t *testing.T, address string) []alert {
	t.Helper()
	response, err := http.Get(address + "/api/v2/alerts?active=true")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var all []alert
	if err := json.NewDecoder(response.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// A real Alertmanager has one alert for as long as a session waits for approval, however long that is, and none once it is decided.
func TestAlertmanager(t *testing.T) {
	address := alertmanager(t)
	sample := sampleSink(t, "alertmanager")
	sample.URL, sample.AllowHTTP = address+"/api/v2/alerts", true
	to, err := newSender(sample, map[string][]byte{"alertmanager-authorization": []byte("Bearer t")})
	if err != nil {
		t.Fatal(err)
	}
	tell := func(message *Message) {
		t.Helper()
		message = message.from("eu-1")
		message.Time = time.Now().UTC().Format(time.RFC3339)
		if err := to.send(t.Context(), message, time.Now()); err != nil {
			t.Fatalf("%s: %v", message.Type, err)
		}
	}
	for _, over := range []v1alpha1.NotificationType{v1alpha1.NotifyApproved, v1alpha1.NotifyDenied, v1alpha1.NotifyEnded} {
		for range 2 { // at least once
			tell(example(v1alpha1.NotifyAwaitingApproval))
		}
		waiting := alerts(t, address)
		if len(waiting) != 1 || waiting[0].Labels["alertname"] != "DebugSessionAwaitsApproval" ||
			waiting[0].Labels["debugsession"] != "checkout-hang" {
			t.Fatalf("it has %+v", waiting)
		}
		if lasts := time.Until(waiting[0].EndsAt); lasts < 30*24*time.Hour {
			t.Errorf("the alert ends by itself in %s, and nobody has decided", lasts.Round(time.Second))
		}
		tell(example(over))
		for end := time.Now().Add(10 * time.Second); len(alerts(t, address)) > 0 && time.Now().Before(end); {
			time.Sleep(50 * time.Millisecond)
		}
		if left := alerts(t, address); len(left) > 0 {
			t.Errorf("after %s it still has %+v", over, left)
		}
	}
	for _, of := range typesOf(sample) {
		tell(longest(of))
	}
}
