package command

import (
	"context"
	"errors"

	"github.com/spf13/pflag"

	"debugsession.dev/operator/internal/auditstore"
)

// storeFlag is the flag --store: the store that is read.
type storeFlag struct{ address string }

func (f *storeFlag) bind(flags *pflag.FlagSet) {
	flags.StringVar(&f.address, "store", "", "Where the records are: file:///folder, s3://bucket or azblob://container. Your own credentials for it are used.")
}

func (f *storeFlag) open(ctx context.Context) (*auditstore.Store, error) {
	if f.address == "" {
		return nil, errors.New("say by --store=URL where the records are: the operator's --audit-store")
	}
	return auditstore.Open(ctx, f.address)
}
