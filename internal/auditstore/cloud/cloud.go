// Package cloud adds the object stores of clouds to those that auditstore opens: s3:// and azblob://, and gs:// where it is built with the
// tag gcs. Only the binaries import it: what it comes with takes minutes to compile.
package cloud

import (
	_ "gocloud.dev/blob/azureblob" // azblob://
	_ "gocloud.dev/blob/s3blob"    // s3://
)
