package cloud

import "testing"

// startS3 starts what test/s3 builds.
func startS3(t *testing.T) *server {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "operator")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "of-a-test")
	s := buildServer(t, "S3_SERVER", "the S3 API")
	s.start(t)
	s.url = func(prefix string) string {
		return "s3://audit?region=us-east-1&use_path_style=true&endpoint=http://" + s.address + "&prefix=" + prefix
	}
	return s
}

func TestS3CreatesOnce(t *testing.T) { createsOnce(t, startS3(t)) }

func TestS3KeepsRecords(t *testing.T) { keepsRecords(t, startS3(t)) }

func TestS3TamperingIsFound(t *testing.T) { findsTampering(t, startS3(t)) }

func TestS3OutlivesAHang(t *testing.T) { outlivesAHang(t, startS3(t)) }

func TestS3KeepsTranscripts(t *testing.T) { keepsTranscripts(t, startS3(t)) }
