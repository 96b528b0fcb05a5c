#!/usr/bin/env bash
# Fails if a generated file is not what `make generate manifests` makes of the work tree as it is: generates in a copy of
# it, so that the work tree is neither changed nor has to be committed. Takes the folder of the built tools.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=$1
generated=(api config/crd/bases config/rbac/role.yaml config/webhook/manifests.yaml config/samples/kustomization.yaml dist/install.yaml docs/reference.md docs/kubectl-dbg.md)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

# A file that git knows and that was deleted is left out.
git ls-files -z --cached --others --exclude-standard | sort -zu |
	while IFS= read -rd '' file; do [[ ! -e $file ]] || printf '%s\0' "$file"; done |
	tar --create --null --files-from=- | tar --extract --directory "$copy"

# Gone first, so that a file that is no longer generated shows as well.
find "$copy/api" -name 'zz_generated.*' -delete
(cd "$copy" && rm -rf config/crd/bases config/rbac/role.yaml config/webhook/manifests.yaml dist docs/reference.md docs/kubectl-dbg.md)
# The copy has the sources' times, not the tools' stamps: -o keeps make from building them anew.
make -C "$copy" -o "$bin/.tools" BIN="$bin" generate manifests >/dev/null

stale=0
for path in "${generated[@]}"; do
	diff --recursive --unified "$path" "$copy/$path" || stale=1
done
if ((stale)); then
	echo "generated: stale (-), run: make generate manifests" >&2
	exit 1
fi
echo "generated: deep copies, CRDs, roles, webhooks, dist/install.yaml, docs/reference.md and docs/kubectl-dbg.md are fresh"
