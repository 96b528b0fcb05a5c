//go:build gcs

package cloud

import "testing"

// startGCS starts what test/gcs builds.
func startGCS(t *testing.T) *server {
	t.Helper()
	s := buildServer(t, "GCS_SERVER", "Google Cloud Storage's API")
	s.start(t)
	t.Setenv("STORAGE_EMULATOR_HOST", s.address)
	s.url = func(prefix string) string { return "gs://audit?prefix=" + prefix }
	return s
}

func TestGCSCreatesOnce(t *testing.T) { createsOnce(t, startGCS(t)) }

func TestGCSKeepsRecords(t *testing.T) { keepsRecords(t, startGCS(t)) }

func TestGCSTamperingIsFound(t *testing.T) { findsTampering(t, startGCS(t)) }

func TestGCSOutlivesAHang(t *testing.T) { outlivesAHang(t, startGCS(t)) }

func TestGCSKeepsTranscripts(t *testing.T) { keepsTranscripts(t, startGCS(t)) }
