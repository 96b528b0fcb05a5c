#!/usr/bin/env bash
# Builds kubectl dbg for platforms, as archives that are the same however often they are built, and the krew manifest that names
# them: tools/plugin-archives.sh FOLDER VERSION OS/ARCH...
#
# RELEASES is the address under which they are published.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$1 version=$2
shift 2
[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+ ]] || version=v0.0.0-g$version # krew takes no other
rm -rf "$folder" && mkdir -p "$folder"
manifest=$folder/dbg.yaml
sed -e '/^#/d' -e "s|VERSION|$version|" plugins/krew.yaml >"$manifest"
for platform in "$@"; do
	os=${platform%/*} arch=${platform#*/} suffix=
	[[ $os != windows ]] || suffix=.exe
	name=kubectl-dbg_${version}_${os}_$arch.tar.gz
	staged=$(mktemp -d)
	GOOS=$os GOARCH=$arch CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$version" -o "$staged/kubectl-dbg$suffix" ./cmd/kubectl-dbg
	cp plugins/kubectl_complete-dbg LICENSE "$staged/"
	tar --sort=name --mode=u=rwX,go=rX --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$staged" -c . | gzip -n >"$folder/$name"
	mv "$staged/kubectl-dbg$suffix" "$folder/${name%.tar.gz}$suffix" && rm -rf "$staged"
	cat >>"$manifest" <<-YAML
		  - selector: {matchLabels: {os: $os, arch: $arch}}
		    uri: ${RELEASES:-RELEASES}/$name
		    sha256: $(sha256sum "$folder/$name" | cut -d ' ' -f 1)
		    bin: kubectl-dbg$suffix
	YAML
	echo "plugin: $name"
done
