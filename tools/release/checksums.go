package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const sumsFile = "SHA256SUMS"

// sum is the checksum of a file of the release.
type sum struct{ name, sha256 string }

// checksums writes those of all files so far, as sha256sum -c reads them.
func (r *release) checksums() ([]sum, error) {
	entries, err := os.ReadDir(r.out)
	if err != nil {
		return nil, err
	}
	var sums []sum
	var text strings.Builder
	for _, entry := range entries {
		hash, err := hashFile(filepath.Join(r.out, entry.Name()))
		if err != nil {
			return nil, err
		}
		sums = append(sums, sum{entry.Name(), hash})
		fmt.Fprintf(&text, "%s  %s\n", hash, entry.Name())
	}
	return sums, r.write(sumsFile, []byte(text.String()))
}

func hashFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
