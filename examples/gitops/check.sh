#!/bin/sh
# Refuses a session without notAfter: deleted in the cluster it would begin anew whenever it is applied again. Run it on each merge
# request. It needs kubectl, and no cluster: kubectl kustomize writes any YAML out in one form.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# In what kustomize writes, fields of the spec are indented by two spaces, and documents parted by ---.
judge() {
	awk -v file="$1" '
		function judge() {
			if (kind == "DebugSession" && !bound) {
				print file ": session " name " has no spec.notAfter; add one, such as notAfter: \"2026-11-24T18:00:00Z\""
				bad = 1
			}
			kind = name = section = ""
			bound = 0
		}
		/^---/ { judge(); next }
		/^kind: / { kind = $2 }
		/^[a-z]/ { section = $1 }
		section == "metadata:" && /^  name: / { name = $2 }
		section == "spec:" && /^  notAfter: / { bound = 1 }
		END { judge(); exit bad }'
}

find sessions -name '*.yaml' -o -name '*.yml' >"$work/files"
while read -r file; do
	cp "$file" "$work/session.yaml"
	echo 'resources: [session.yaml]' >"$work/kustomization.yaml"
	if kubectl kustomize "$work" >"$work/out" 2>"$work/error"; then
		judge "$file" <"$work/out" >&2 || failed=1
	else
		echo "$file: $(cat "$work/error")" >&2
		failed=1
	fi
done <"$work/files"
exit $failed
