#!/usr/bin/env bash
# Builds the operator of another commit, and takes the manifest that installs it:
#
#   tools/build-from.sh COMMIT DIRECTORY
#
# DIRECTORY/image is what its image is built from.
set -euo pipefail
cd "$(dirname "$0")/.."

commit=$(git rev-parse --verify --quiet "$1^{commit}") || { echo "there is no commit $1 here: fetch it, or set UPGRADE_FROM" >&2; exit 1; }
to=$(realpath -m "$2")
[[ -e $to/commit && $(<"$to/commit") == "$commit" ]] && exit 0
source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT
git archive "$commit" | tar -x -C "$source"
rm -rf "$to"
mkdir -p "$to/image"
cp "$source/dist/install.yaml" "$to/"
cp "$source/Dockerfile" "$to/image/"
(cd "$source" && GOOS=linux go build -trimpath -ldflags "-s -w -X main.version=$1" -o "$to/image/manager" ./cmd/manager)
echo "$commit" >"$to/commit"
