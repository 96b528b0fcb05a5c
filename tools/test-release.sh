#!/usr/bin/env bash
# Makes a release of HEAD twice, in two clones, and checks that both are the same, and that its files belong together:
# tools/test-release.sh VERSION HELM OUT OS/ARCH...
#
# Both share Go's build cache. The first is kept, in the folder OUT.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$1 helm=$2 out=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "release: $*" >&2; exit 1; }

# In folders of different names and depths, of the same commit, whatever is committed here meanwhile.
git clone --quiet . "$work/first"
git clone --quiet "$work/first" "$work/another/folder"
for clone in "$work/first" "$work/another/folder"; do
	(unset MAKEFLAGS MAKELEVEL && make --no-print-directory -C "$clone" release VERSION="$version" PLATFORMS="$*")
done
made=$work/first/bin/release/$version
diff -r "$made" "$work/another/folder/bin/release/$version" || fail "the two differ"

cd "$made"
sha256sum --check --quiet --strict SHA256SUMS || fail "a checksum is wrong"
[[ $(cut -d ' ' -f 3 SHA256SUMS) == "$(ls --ignore=SHA256SUMS --ignore=provenance.intoto.json)" ]] || fail "a file has no checksum"
while read -r sum name; do
	grep -A 3 "\"name\": \"$name\"" provenance.intoto.json | grep -q "\"sha256\": \"$sum\"" || fail "the provenance does not speak of $name"
done <SHA256SUMS

# The index of the layout is what everything else names.
digest=$(tar -xOf debugsession-operator_"$version"_oci.tar index.json | grep -o 'sha256:[0-9a-f]*')
grep -q "image: .*@$digest\$" install.yaml || fail "install.yaml does not name $digest"
grep -q "$digest" notes.md || fail "the notes do not name $digest"
"$helm" template debugsession debugsession-"${version#v}".tgz --namespace debugsession-system | grep -q "image: .*@$digest\"\?\$" ||
	fail "the chart does not name $digest"

for binary in manager_"$version"_linux_* kubectl-dbg_"$version"_*; do
	[[ $binary != *.tar.gz ]] || continue
	built=$(go version -m "$binary")
	platform=${binary#*_"$version"_} platform=${platform%.exe}
	[[ $built == *"GOOS=${platform%_*}"* && $built == *"GOARCH=${platform#*_}"* ]] || fail "$binary is for another platform"
	while read -r _ module of _; do
		grep -q "\"pkg:golang/$module@$of\"" debugsession-operator_"$version".spdx.json || fail "the SBOM lacks $module@$of, which $binary has"
	done < <(grep -P '^\tdep\t' <<<"$built")
done

for platform in "$@"; do
	archive=kubectl-dbg_${version}_${platform/\//_}.tar.gz
	grep -A 1 "uri: .*/$archive\$" dbg.yaml | grep -q "sha256: $(sha256sum "$archive" | cut -d ' ' -f 1)" || fail "krew's manifest has another checksum for $archive"
done
cd - >/dev/null
rm -rf "$out"
mkdir -p "$(dirname "$out")"
cp -r "$made" "$out"
echo "release: $version was made twice with the same bytes, of $(wc -l <"$out/SHA256SUMS") files and their provenance: $out"
