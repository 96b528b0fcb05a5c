package cloud

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"gocloud.dev/blob/azureblob"

	"debugsession.dev/operator/internal/auditstore"
)

// answers are what Azure answers by the method of a request: a blob, or an error's code.
type answers map[string]struct {
	status int
	code   string
}

func (a answers) Do(request *http.Request) (*http.Response, error) {
	answer, ok := a[request.Method]
	if !ok {
		unresolved := &net.DNSError{Err: "no such host", Name: request.URL.Host, IsNotFound: true}
		return nil, &url.Error{Op: request.Method, URL: request.URL.String(), Err: &net.OpError{Op: "dial", Net: "tcp", Err: unresolved}}
	}
	const body = "{}"
	header := http.Header{}
	header.Set("x-ms-error-code", answer.code)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Content-Type", "application/json")
	header.Set("ETag", `"0x1"`)
	header.Set("Last-Modified", "Fri, 27 Nov 2026 12:00:00 GMT")
	return &http.Response{
		StatusCode: answer.status, Status: http.StatusText(answer.status), Header: header, Request: request,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

// ofAzure is a store whose answers are these.
func ofAzure(t *testing.T, given answers) *auditstore.Store {
	t.Helper()
	client, err := container.NewClientWithNoCredential("https://account.blob.core.windows.net/audit?sp=rcl&sig=c2VjcmV0", &container.ClientOptions{
		ClientOptions: azcore.ClientOptions{Transport: given, Retry: policy.RetryOptions{MaxRetries: -1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := azureblob.OpenBucket(t.Context(), client, nil)
	if err != nil {
		t.Fatal(err)
	}
	store := auditstore.New(bucket, "azblob://audit")
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func TestAzureErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		given                     answers
		created, exists, notFound bool // not found by a read
	}{
		"a blob that is not there": {given: answers{"PUT": {201, ""}, "GET": {404, "BlobNotFound"}}, created: true, notFound: true},
		"a blob that is there":     {given: answers{"PUT": {409, "BlobAlreadyExists"}, "GET": {200, ""}}, exists: true},
		"one that must not be overwritten": {
			given: answers{"PUT": {403, "UnauthorizedBlobOverwrite"}, "GET": {200, ""}}, exists: true,
		},
		"one that must not be created": {
			given: answers{"PUT": {403, "AuthorizationPermissionMismatch"}, "GET": {404, "BlobNotFound"}}, notFound: true,
		},
		"no right at all":                  {given: answers{"PUT": {403, "AuthorizationFailure"}, "GET": {403, "AuthorizationFailure"}}},
		"a server that is busy":            {given: answers{"PUT": {503, "ServerBusy"}, "GET": {503, "ServerBusy"}}},
		"an account that is not resolved":  {given: answers{}},
		"a container that is not there":    {given: answers{"PUT": {404, "ContainerNotFound"}, "GET": {404, "ContainerNotFound"}}, notFound: true},
		"one that a policy keeps as it is": {given: answers{"PUT": {409, "BlobImmutableDueToPolicy"}, "GET": {200, ""}}, exists: true},
		"a container that is deleted":      {given: answers{"PUT": {409, "ContainerBeingDeleted"}, "GET": {409, "ContainerBeingDeleted"}}},
	} {
		t.Run(name, func(t *testing.T) {
			store := ofAzure(t, tc.given)
			err := store.Create(t.Context(), "chain/1.json", []byte("{}"))
			if (err == nil) != tc.created || store.Exists(err) != tc.exists {
				t.Errorf("created: %v, exists %t", err, store.Exists(err))
			}
			_, unread := store.Read(t.Context(), "chain/1.json")
			if store.NotFound(unread) != tc.notFound {
				t.Errorf("read: %v, not found %t", unread, store.NotFound(unread))
			}
			_, unlisted := store.Keys(t.Context(), "chain/")
			if said := fmt.Sprint(err, unread, unlisted); strings.Contains(said, "sig=") {
				t.Errorf("the signature is in %s", said)
			}
		})
	}
}
