// Command release makes the files of a release, with the same bytes wherever and however often it is run: nothing in them depends on the
// machine, its clock or its folders. `make release` runs it from the root of the repository.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r := &release{}
	platforms := flag.String("platforms", "", "the plugin's `OS/ARCH`, with spaces between")
	flag.StringVar(&r.version, "version", "", "the release's `version`, such as v0.1.0")
	flag.StringVar(&r.out, "out", "", "the `folder` that is written; what is in it is removed")
	flag.StringVar(&r.repository, "repository", "", "the `image` without a tag, as clusters pull it")
	flag.StringVar(&r.downloads, "downloads", "", "the `URL` under which the release's files can be had")
	flag.StringVar(&r.source, "source", "", "the `URL` of the Git repository")
	flag.StringVar(&r.builder, "builder", "", "the `URI` of who builds, for the provenance")
	flag.Parse()
	r.platforms = strings.Fields(*platforms)
	if err := r.make(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}
