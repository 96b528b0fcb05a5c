#!/usr/bin/env bash
# Shows that the linter refuses what it is there to refuse: lints testdata/, which breaks the rules on the lines marked
# "// refused", and fails unless exactly those lines are refused.
set -euo pipefail
cd "$(dirname "$0")/../.."

expected=$(grep -rn '// refused' test/lint/testdata | cut -d: -f1,2 | sort)
mapfile -t packages < <(find test/lint/testdata -name '*.go' -printf './%h\n' | sort -u)
refused=$(bin/golangci-lint run --enable-only=depguard,forbidigo --issues-exit-code=0 --show-stats=false \
	--output.text.print-issued-lines=false --output.text.colors=false "${packages[@]}" | cut -d: -f1,2 | sort)

if ! diff <(echo "$expected") <(echo "$refused"); then
	echo "lint: .golangci.yml does not refuse the lines it should (<), or refuses others (>)" >&2
	exit 1
fi
echo "lint: all $(wc -l <<<"$expected") forbidden lines of test/lint/testdata are refused"
