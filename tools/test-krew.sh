#!/usr/bin/env bash
# Checks what tools/plugin-archives.sh has made, and has krew install it on this machine:
# tools/test-krew.sh FOLDER KREW OS/ARCH...
set -euo pipefail

folder=$1 krew=$2
shift 2
manifest=$folder/dbg.yaml
version=$(sed -n 's/^  version: //p' "$manifest")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "krew: $*" >&2; exit 1; }

for platform in "$@"; do
	os=${platform%/*} arch=${platform#*/} binary=kubectl-dbg
	[[ $os != windows ]] || binary=kubectl-dbg.exe
	archive=$folder/kubectl-dbg_${version}_${os}_$arch.tar.gz
	mkdir "$work/$os-$arch" && tar -C "$work/$os-$arch" -xzf "$archive"
	[[ $(ls "$work/$os-$arch") == "LICENSE"$'\n'"$binary"$'\n'kubectl_complete-dbg ]] || fail "unexpected files in $archive: $(ls "$work/$os-$arch")"
	built=$(go version -m "$work/$os-$arch/$binary")
	[[ $built == *GOARCH=$arch* && $built == *GOOS=$os* ]] || fail "$binary in $archive is for the wrong platform: $built"
	entry=$(grep -A4 "matchLabels: {os: $os, arch: $arch}" "$manifest")
	[[ $entry == *"uri: RELEASES/${archive##*/}"* && $entry == *"bin: $binary"* ]] || fail "unexpected manifest entry for $platform: $entry"
	[[ $entry == *"sha256: $(sha256sum "$archive" | cut -d ' ' -f 1)"* ]] || fail "wrong checksum in the manifest for $archive"
done

export KREW_ROOT=$work/krew KREW_NO_UPGRADE_CHECK=1 PATH=$work/krew/bin:$PATH
"$krew" install </dev/null --manifest="$manifest" --archive="$folder/kubectl-dbg_${version}_$(go env GOOS)_$(go env GOARCH).tar.gz"
[[ $(kubectl-dbg --version) == *"$version"* ]] || fail "krew installed the wrong version: $(kubectl-dbg --version)"
[[ -e $KREW_ROOT/receipts/dbg.yaml ]] || fail "the installation has no receipt"
echo "krew: archives for $* and the installation are ok"
