package cloud

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"gocloud.dev/blob"
	"gocloud.dev/blob/azureblob"

	"debugsession.dev/operator/internal/auditstore"
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

func TestAzureOutlivesAHang(t *testing.T) { outlivesAHang(t, startAzure(t)) }

func TestAzureKeepsTranscripts(t *testing.T) { keepsTranscripts(t, startAzure(t)) }

// byEnvironment opens a folder of the container with what the environment has by now: the opener of addresses looks at it once.
func byEnvironment(t *testing.T, prefix string) *blob.Bucket {
	t.Helper()
	service, err := azureblob.NewServiceURL(azureblob.NewDefaultServiceURLOptions())
	if err != nil {
		t.Fatal(err)
	}
	client, err := azureblob.NewDefaultClient(service, "audit")
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := azureblob.OpenBucket(t.Context(), client, nil)
	if err != nil {
		t.Fatal(err)
	}
	bucket = blob.PrefixedBucket(bucket, prefix)
	t.Cleanup(func() { _ = bucket.Close() }) // it holds nothing
	return bucket
}

func TestAzureConnectionString(t *testing.T) {
	s := startAzure(t)
	account, key := os.Getenv("AZURE_STORAGE_ACCOUNT"), os.Getenv("AZURE_STORAGE_KEY")
	t.Setenv("AZURE_STORAGE_ACCOUNT", "")
	t.Setenv("AZURE_STORAGE_KEY", "")
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "DefaultEndpointsProtocol=http;AccountName="+account+";AccountKey="+key+
		";BlobEndpoint=http://"+s.address+"/"+account+";")
	createdOnce(t, auditstore.New(byEnvironment(t, "once/"), "azblob://audit"))
}

// A shared access signature that lets the operator list, read and create, and not overwrite.
func TestAzureWithoutTheRightToOverwrite(t *testing.T) {
	s := startAzure(t)
	address, err := containerOf(t, s).GetSASURL(sas.ContainerPermissions{Read: true, List: true, Create: true}, time.Now().Add(time.Hour), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(address, "?")
	t.Setenv("AZURE_STORAGE_KEY", "")
	t.Setenv("AZURE_STORAGE_SAS_TOKEN", token)
	t.Setenv("AZURE_STORAGE_DOMAIN", s.address)
	t.Setenv("AZURE_STORAGE_PROTOCOL", "http")
	createdOnce(t, auditstore.New(byEnvironment(t, "once/"), "azblob://audit"))
	bucket, anchor := byEnvironment(t, "kept/"), &memory{}
	store := auditstore.New(bucket, "azblob://audit")
	for i := range 3 {
		put(t, auditstore.NewChain(store, private, anchor), i)
	}
	put(t, auditstore.NewChain(store, private, nil), 0) // again
	if got := verify(t, store, anchor.head); got != "3 links" {
		t.Error(got)
	}
	if err := bucket.WriteAll(t.Context(), record(0).Key(), []byte("{}"), nil); err == nil {
		t.Error("the signature lets it overwrite a record")
	}
	if err := bucket.Delete(t.Context(), record(0).Key()); err == nil {
		t.Error("the signature lets it delete a record")
	}
	s.end()
	_, err = store.Read(t.Context(), record(0).Key())
	if err == nil || strings.Contains(err.Error(), "sig=") {
		t.Errorf("what a store that is down is said to answer: %v", err)
	}
}
