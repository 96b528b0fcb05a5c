// Package main is a server of the S3 API, for tests of what is kept in object stores: versitygw, which keeps objects in a folder. It is a
// gateway that people run: signatures are checked, and a conditional write is atomic, also between processes. rclone's `serve s3` has
// gofakes3 in it, which was made to be a fake, and SeaweedFS is a cluster of servers.
//
// It is a module and a process apart: the client in the tests is the operator's own, with the version of the SDK that the operator has and
// not the one that the gateway asks for; and it can be killed.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"
)

const (
	region = "us-east-1"

	// most is how many connections there may be, and how many requests at once.
	most = 256

	// concurrency is how many of these work on the folder.
	concurrency = 64
)

func main() {
	address := flag.String("address", "127.0.0.1:9000", "Where the server listens.")
	folder := flag.String("folder", "", "Where the objects are kept.")
	bucket := flag.String("bucket", "audit", "The bucket that is there from the start.")
	flag.Parse()
	if err := serve(*address, *folder, *bucket); err != nil {
		fmt.Fprintln(os.Stderr, "s3:", err)
		os.Exit(1)
	}
}

// serve serves until it fails. The keys that are let in are those by which a client is let in: of the environment.
func serve(address, folder, bucket string) error {
	access, secret := os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")
	if folder == "" || access == "" || secret == "" {
		return errors.New("needs --folder, and AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment")
	}
	// Metadata is in a folder beside the buckets: not every filesystem has extended attributes.
	objects, beside := filepath.Join(folder, "objects"), filepath.Join(folder, "metadata")
	for _, made := range []string{filepath.Join(objects, bucket), beside} {
		if err := os.MkdirAll(made, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	metadata, err := meta.NewSideCar(beside)
	if err != nil {
		return err
	}
	backend, err := posix.New(objects, metadata, posix.PosixOpts{SideCarDir: beside, Concurrency: concurrency})
	if err != nil {
		return err
	}
	root := auth.Account{Access: access, Secret: secret, Role: auth.RoleAdmin}
	server, err := s3api.New(backend, middlewares.RootUserConfig{Access: access, Secret: secret}, region, auth.NewIAMServiceSingle(root),
		nil, nil, nil, nil, s3api.WithQuiet(), s3api.WithKeepAlive(), s3api.WithConcurrencyLimiter(most, most), s3api.WithMpMaxParts(100))
	if err != nil {
		return err
	}
	return server.ServeMultiPort([]string{address})
}
