package imagepattern

import (
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"
)

const (
	// anyParts is the part of a pattern that stands for any number of parts.
	anyParts = "**"

	dockerHub = "docker.io"
	// dockerIndex is what Docker Hub was called once, and still may be.
	dockerIndex    = "index.docker.io"
	officialImages = "library"
	localhost      = "localhost"

	// anyRepository is one to hold a tag or a digest against the grammar with.
	anyRepository = localhost + "/any"
)

// parseRepository completes the repository of a pattern and takes it apart.
func parseRepository(name string) ([]string, error) {
	parts := strings.Split(name, "/")
	for _, part := range parts {
		if strings.Contains(part, anyParts) && part != anyParts {
			return nil, fmt.Errorf("%q: ** matches whole parts between slashes; within one, use *", part)
		}
	}
	if parts[0] != anyParts {
		parts = complete(parts)
		if err := checkRegistry(parts[0]); err != nil {
			return nil, err
		}
	}
	if err := checkName(parts); err != nil {
		return nil, err
	}
	if last := len(parts) - 1; parts[last] == anyParts {
		// At the end, one or more.
		parts = slices.Insert(parts, last, "*")
	}
	return parts, nil
}

// complete adds to a pattern what a runtime adds to an image, by the rules of reference.ParseNormalizedNamed.
func complete(parts []string) []string {
	if len(parts) == 1 {
		return []string{dockerHub, officialImages, parts[0]}
	}
	switch first := parts[0]; {
	case first == dockerIndex:
		parts[0] = dockerHub
	case first != localhost && !strings.ContainsAny(first, ".:"):
		parts = slices.Insert(parts, 0, dockerHub)
	}
	if parts[0] == dockerHub && len(parts) == 2 && parts[1] != anyParts {
		parts = slices.Insert(parts, 1, officialImages)
	}
	return parts
}

// checkRegistry refuses a wildcard that would allow registries of other owners than the one that is written.
func checkRegistry(registry string) error {
	host := registry
	if colon := strings.LastIndexByte(registry, ':'); colon > strings.LastIndexByte(registry, ']') {
		host = registry[:colon]
	}
	star := strings.LastIndexByte(host, '*')
	if star < 0 || host == "*" || strings.HasPrefix(host[star+1:], ".") {
		return nil
	}
	return fmt.Errorf("%q: in a registry, * must be followed by a dot, as in *.registry.example, or it would allow registries of others", registry)
}

// checkName refuses what no image's name could match.
func checkName(parts []string) error {
	name := strings.Join(parts, "/")
	if parts[0] == anyParts {
		name = localhost + "/" + name
	}
	named, err := reference.ParseNamed(sample(name))
	if err == nil && !reference.IsNameOnly(named) {
		err = reference.ErrReferenceInvalidFormat // two tags
	}
	if err != nil {
		return fmt.Errorf("%w; write [REGISTRY/]REPOSITORY[:TAG][@DIGEST] in lowercase and without https://, with * and ** as wildcards", err)
	}
	return checkRegistryName(reference.Domain(named))
}

// sample is what the pattern may stand for: a digit for each *, as one may stand wherever any character may, even in a port;
// for each ** two parts, as docker.io has no image with one part only.
func sample(pattern string) string {
	return strings.NewReplacer(anyParts, "1/1", "*", "1").Replace(pattern)
}
