// Package main is a server of Google Cloud Storage's API, for tests of what is kept in object stores: fake-gcs-server, which keeps objects
// in a folder. Google gives none away that can be run. It was made to be a fake, but looks at a write's condition and writes under one
// lock, so that only one of several writers creates an object.
//
// It is a module and a process apart, as test/s3: the client in the tests is the operator's own, with the version of the SDK that the
// operator has; and it can be killed.
package main

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// headerTimeout is how long a client may take to send its headers.
const headerTimeout = 10 * time.Second

func main() {
	address := flag.String("address", "127.0.0.1:9001", "Where the server listens.")
	folder := flag.String("folder", "", "Where the objects are kept.")
	bucket := flag.String("bucket", "audit", "The bucket that is there from the start.")
	flag.Parse()
	if err := serve(*address, *folder, *bucket); err != nil {
		fmt.Fprintln(os.Stderr, "gcs:", err)
		os.Exit(1)
	}
}

// serve serves until it fails.
func serve(address, folder, bucket string) error {
	if folder == "" {
		return errors.New("needs --folder")
	}
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{
		StorageRoot: folder, Scheme: "http", PublicHost: address, ExternalURL: "http://" + address, NoListener: true,
	})
	if err != nil {
		return err
	}
	server.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: bucket})
	return (&http.Server{Addr: address, Handler: server.HTTPHandler(), ReadHeaderTimeout: headerTimeout}).ListenAndServe()
}
