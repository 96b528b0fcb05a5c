// Package imagepattern says which images the patterns of a DebugClass allow.
//
// # Names
//
// An image is compared by its full name, as container runtimes that follow Docker's rules (containerd among them) complete
// it. The first part is a registry if it contains '.' or ':' or is localhost; otherwise the image is from docker.io, and
// there, if it has one part only, from library. Without tag and digest it is latest. So busybox, library/busybox and
// index.docker.io/library/busybox:latest are all docker.io/library/busybox:latest.
//
// # Patterns
//
// A pattern is [REPOSITORY][:TAG][@DIGEST] and is completed by the same rules, except that its tag is not:
//
//   - In the repository, * stands for any characters within one part between slashes. The part ** stands for any number of
//     parts: none or more between slashes, one or more at the end. registry.example/debug/** does not allow
//     registry.example/debug itself.
//   - A first part that is a wildcard is no registry, as it contains neither '.' nor ':'. * is docker.io/library/* and
//     */debug is docker.io/*/debug: neither allows an image from another registry. Only a first ** stands for every
//     registry, and ** alone for every image.
//   - In a registry, a * must be followed by a dot, as in *.registry.example: registry.example* and *registry.example would
//     allow registry.example.evil and evilregistry.example, which belong to others. *:5000/debug is any registry at that
//     port, and registry.example:* that registry at any port, which does not include none.
//   - In the tag and in the digest, * stands for any characters.
//
// # Tags and digests
//
// If an image has a digest, the digest alone decides what runs, and its tag is only a remark: busybox:1.36@sha256:... may
// be anything that was ever pushed to the repository. Therefore
//
//   - a pattern without tag and digest allows every tag and digest;
//   - a pattern with a tag alone allows no image with a digest, not even busybox:* does;
//   - a pattern with a digest allows only images with a digest: busybox@sha256:* is any one that is pinned;
//   - a pattern with both asks for both to be written in the image. Its tag restricts nothing that runs.
//
// Letters in a repository are lower case. What is not understood is not allowed: an image that is no image's name is
// refused, a pattern that is no pattern allows nothing.
package imagepattern
