// Package cloud adds the object stores of clouds to those that auditstore opens: s3://, gs:// and azblob://. Only the binaries import
// it: their SDKs take minutes to compile.
package cloud

import (
	_ "gocloud.dev/blob/azureblob" // azblob://
	_ "gocloud.dev/blob/gcsblob"   // gs://
	_ "gocloud.dev/blob/s3blob"    // s3://
)
