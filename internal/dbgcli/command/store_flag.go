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
	flags.StringVar(&f.address, "store", "", "The audit store: file:///folder, s3://bucket or azblob://container. Accessed with your own credentials.")
}

func (f *storeFlag) open(ctx context.Context) (*auditstore.Store, error) {
	if f.address == "" {
		return nil, errors.New("--store=URL is required: the store that the operator's --audit-store names")
	}
	return auditstore.Open(ctx, f.address)
}
