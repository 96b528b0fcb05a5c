package cloud

import (
	"syscall"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"gocloud.dev/blob"
)

// startAzure starts Azurite, which test/azure pins. It writes down only every five seconds which blobs there are: so it is told to end
// where the others are killed.
func startAzure(t *testing.T) *server {
	t.Helper()
	const account, key = "operator", "b2YtYS10ZXN0"
	t.Setenv("AZURE_STORAGE_ACCOUNT", account)
	t.Setenv("AZURE_STORAGE_KEY", key)
	t.Setenv("AZURITE_ACCOUNTS", account+":"+key)
	s := &server{
		binary: binary(t, "AZURE_SERVER", "Azure Blob Storage's API", "make test-azure"), ending: syscall.SIGTERM,
		arguments: func(host, port, folder string) []string {
			return []string{
				"--blobHost", host, "--blobPort", port, "--location", folder, "--silent", "--disableTelemetry",
				"--skipApiVersionCheck", // the SDK is newer
			}
		},
	}
	s.start(t)
	s.url = func(prefix string) string {
		return "azblob://audit?protocol=http&domain=" + s.address + "&prefix=" + prefix
	}
	if _, err := containerOf(t, s).Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// containerOf is the SDK's client of the container.
func containerOf(t *testing.T, s *server) *container.Client {
	t.Helper()
	bucket, err := blob.OpenBucket(t.Context(), s.url("any/"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bucket.Close() }) // it holds nothing
	var client *container.Client
	if !bucket.As(&client) {
		t.Fatal("a container has no client of Azure's SDK")
	}
	return client
}

func TestAzureCreatesOnce(t *testing.T) { createsOnce(t, startAzure(t)) }

func TestAzureKeepsRecords(t *testing.T) { keepsRecords(t, startAzure(t)) }

func TestAzureTamperingIsFound(t *testing.T) { findsTampering(t, startAzure(t)) }
