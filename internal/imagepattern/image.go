package imagepattern

import (
	// A digest is valid only if the program knows its hash.
	_ "crypto/sha256"
	_ "crypto/sha512"
	"errors"
	"fmt"
	"strings"

	"github.com/distribution/reference"
)

const (
	// maxLength bounds what is read at all, images and patterns, in bytes. The full name of an image is always shorter: at
	// most maxRegistryLength, 255 of repository, 128 of tag, 135 of digest, and what separates them.
	maxLength = 1024

	// maxRegistryLength is a DNS name of 253 bytes and a port.
	maxRegistryLength = 259
)

// digestLengths is the number of hexadecimal digits in a digest of each algorithm.
var digestLengths = map[string]int{"sha256": 64, "sha384": 96, "sha512": 128}

// image is an image's full name, taken apart.
type image struct {
	// parts are the registry and the parts of the repository: at least two.
	parts []string
	// tag is empty only if there is a digest, digest only if there is none.
	tag, digest string
}

// Normalize returns an image's full name: docker.io/library/busybox:latest for busybox. If the image has both a tag and a
// digest, so has the full name. Normalizing a full name changes nothing. It returns an error, which does not say which image
// it is about, if the image is no image's name: if it is longer than 1024 bytes or its registry is longer than 259, if it
// has upper case letters elsewhere than in its tag, or if a runtime may take it for the ID of an image on the node.
func Normalize(image string) (string, error) {
	named, err := parseName(image)
	if err != nil {
		return "", err
	}
	return named.String(), nil
}

func parseImage(name string) (image, error) {
	named, err := parseName(name)
	if err != nil {
		return image{}, err
	}
	parsed := image{parts: strings.Split(named.Name(), "/")}
	if tagged, ok := named.(reference.Tagged); ok {
		parsed.tag = tagged.Tag()
	}
	if digested, ok := named.(reference.Digested); ok {
		parsed.digest = digested.Digest().String()
	}
	return parsed, nil
}

func parseName(name string) (reference.Named, error) {
	if len(name) > maxLength {
		return nil, fmt.Errorf("it is longer than %d bytes", maxLength)
	}
	if isImageID(name) {
		return nil, errors.New("it could be mistaken for the ID of an image on the node; write the repository before the digest, as in REPOSITORY@sha256:DIGITS")
	}
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return nil, fmt.Errorf("%w; write [REGISTRY/]REPOSITORY[:TAG][@DIGEST] in lowercase and without https://", err)
	}
	if err := checkRegistryName(reference.Domain(named)); err != nil {
		return nil, err
	}
	return reference.TagNameOnly(named), nil
}

// checkRegistryName refuses what the grammar of a reference lets pass. In upper case letters, a registry would be another name
// for the same host, and a part of a repository is taken for a registry because of them.
func checkRegistryName(registry string) error {
	if strings.ToLower(registry) != registry {
		return fmt.Errorf("%q has uppercase letters; use lowercase", registry)
	}
	if len(registry) > maxRegistryLength {
		return fmt.Errorf("its registry is longer than %d bytes", maxRegistryLength)
	}
	return nil
}

// isImageID reports whether a runtime may look the name up among the IDs of the images that are already on its node. By the
// grammar, sha256:0123 is tag 0123 of docker.io/library/sha256; containerd takes it for the start of an ID and may so run
// any image that another tenant of the node has pulled.
func isImageID(name string) bool {
	algorithm, _, found := strings.Cut(name, ":")
	_, known := digestLengths[algorithm]
	return found && known && !strings.Contains(name, "/")
}
