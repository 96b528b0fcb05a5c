#!/usr/bin/env bash
# Runs the suites on each of some minor versions of Kubernetes, and writes a table of how they went:
#
#   test/versions.sh TABLE MINOR...
#
# All that was printed is in a folder beside the table. Fails at the end if anything failed. FAULTS is the points that are
# visited; where no node can run, the end-to-end tests are left out, and the table says so. The integration tests are test-specs: the others
# of test-integration are of the kernel, of Prometheus and of object storage.
set -euo pipefail
cd "$(dirname "$0")/.."

table=$1
shift
: "${FAULTS:=^(ephemeral-end|copy-exit|node-end|transcript-end)/}"
export FAULTS
logs=${table%.md}
mkdir -p "$logs"
failed=0

# What a suite's last line counts, as its two columns of the table have it.
counted() {
	sed 's/\x1b\[[0-9;]*m//g' "$1" | sed -nE \
		-e 's/^(SUCCESS|FAIL)!.* -- ([0-9]+) Passed \| ([0-9]+) Failed.*/\2 \/ \3/p' \
		-e 's/^faults: .* ([0-9]+) points .* ([0-9]+) violations.*/\1 \/ \2/p' | tail -n 1
}

# suite TARGET prints its cell.
suite() {
	local log=$logs/$K8S_VERSION-$1.log code=0 result
	make "$1" >"$log" 2>&1 || code=$?
	result=$(counted "$log")
	if ((code)); then
		echo "${result:-none}, failed: see $log"
		return 1
	fi
	echo "$result"
}

{
	echo "| Kubernetes | integration, passed / failed | faults, points / violations | e2e, passed / failed | minutes |"
	echo "|---|---|---|---|---|"
} >"$table"
for K8S_VERSION in "$@"; do
	export K8S_VERSION
	began=$SECONDS
	echo "== Kubernetes $K8S_VERSION" >&2
	bin/cluster build
	version=$("$(bin/cluster assets)/kube-apiserver" --version)
	cells=
	for target in test-specs test-faults test-e2e; do
		if [[ $target == test-e2e ]] && ! reason=$(bin/cluster check 2>&1); then
			cell="not run: ${reason#cluster: }"
		else
			cell=$(suite "$target") || failed=1
		fi
		echo "$target: $cell" >&2
		cells+=" $cell |"
	done
	echo "| ${version#Kubernetes v} |$cells $(((SECONDS - began + 59) / 60)) |" >>"$table"
done
cat "$table"
exit "$failed"
