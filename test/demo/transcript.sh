# shellcheck shell=bash
# How the demo shows what it does: each command as typed, what it printed, and what that proves.

steps=0 checks=0 out=
scratch=$(mktemp -d)

if [[ -t 1 ]]; then bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'; else bold='' green='' red='' plain=''; fi

step() { printf '\n\n%s%d. %s%s\n' "$bold" $((++steps)) "$1" "$plain"; }
say() { printf '\n%s\n' "$1"; }
prompt() { printf '\n%s$ %s%s\n' "$bold" "$1" "$plain"; }
passed() { checks=$((checks + 1)) && printf '%s✓ %s%s\n' "$green" "$1" "$plain"; }
fail() { printf '%sFAILED: %s%s\n' "$red" "$1" "$plain" >&2; exit 1; }

# run COMMAND [may_fail] shows a command and what it prints, which is then in $out.
run() {
	local code=0
	prompt "$1"
	out=$(bash -o pipefail -c "$1" 2>&1) || code=$?
	[[ -z $out ]] || printf '%s\n' "$out"
	((code == 0)) || [[ ${2:-} == may_fail ]] || fail "the command above ended with exit code $code"
}

# kubeconfig_of USER prints the path of their own kubeconfig, where the cluster is test/cluster's, and of the demo's elsewhere.
kubeconfig_of() {
	local own
	own=$(dirname "$KUBECONFIG")/$1.kubeconfig
	if [[ -e $own ]]; then echo "$own"; else echo "$KUBECONFIG"; fi
}

# run_as USER COMMAND [may_fail] is run, by another user: by their own certificate where the cluster is test/cluster's, and
# by impersonation elsewhere.
run_as() {
	local code=0 own command=$2 as="--as $1 --as-group system:authenticated"
	own=$(kubeconfig_of "$1")
	printf '\n%s%s$ %s%s\n' "$bold" "$1" "$2" "$plain"
	if [[ $own == "$KUBECONFIG" ]]; then
		command=${2//kubectl /kubectl $as }
		command=${command//kubectl $as dbg /kubectl dbg $as } # a plugin has its flags behind its name
	fi
	out=$(KUBECONFIG=$own bash -o pipefail -c "$command" 2>&1) || code=$?
	[[ -z $out ]] || printf '%s\n' "$out"
	((code == 0)) || [[ ${3:-} == may_fail ]] || fail "the command above ended with exit code $code"
}

# expect PATTERN MEANING, refuse PATTERN MEANING: what was printed last matches, or does not.
expect() { grep -qE -- "$1" <<<"$out" || fail "not so: $2"; passed "$2"; }
refuse() { ! grep -qE -- "$1" <<<"$out" || fail "not so: $2"; passed "$2"; }

# field SESSION PATH prints a field of a session in namespace shop.
field() { kubectl -n shop get "dbg/$1" -o "jsonpath={$2}"; }

# seconds_since_start SESSION MORE prints how old a session will be in so many seconds; at least 10, the least ttl.
seconds_since_start() {
	local age=$(($(date +%s) - $(date +%s -d "$(field "$1" .status.startedAt)") + $2))
	echo $((age < 10 ? 10 : age))
}

# attach COMMAND [KUBECONFIG] runs it in the background on a terminal of its own, with a pipe for a keyboard, until it ends
# by itself.
attach() {
	prompt "$1"
	rm -f "$scratch/keyboard"
	mkfifo "$scratch/keyboard"
	: >"$scratch/screen"
	exec 3<>"$scratch/keyboard"
	KUBECONFIG=${2:-$KUBECONFIG} script --quiet --flush --return --command "$1" "$scratch/screen" <&3 >/dev/null 2>&1 &
	attached=$!
	screen_shows 0 || fail "no prompt came"
}

# type_in COMMAND types a line at the debugger's prompt; what it prints is then in $out.
type_in() {
	local before
	before=$(stat -c %s "$scratch/screen")
	echo "$1" >&3
	screen_shows $((before + ${#1})) "$1" || fail "no prompt came back after $1"
	out=$(tail -c "+$((before + 1))" "$scratch/screen" | tr -d '\r' | sed -e 's/\x1b\[[0-9;]*[A-Za-z]//g' -e '$d')
	printf '/ # %s\n' "$out"
}

# screen_shows BYTES [TYPED] waits until more than so many bytes were printed, and the last of them is a prompt: one that came
# after the line that was typed, for a terminal that is given its size may prompt twice.
screen_shows() {
	local until=$((SECONDS + 15))
	while ((SECONDS < until)); do
		if (($(stat -c %s "$scratch/screen") > $1)) && [[ $(tail -c 20 "$scratch/screen") == *'# '* ]] &&
			[[ -z ${2:-} || $(tr -d '\r' <"$scratch/screen") == *"$2"$'\n'*'# '* ]]; then return; fi
		sleep 0.1
	done
	return 1
}

attach_ended() { timeout 10 tail --pid="$attached" -f /dev/null; }

detach() {
	[[ -z ${attached:-} ]] || kill "$attached" 2>/dev/null || true
	rm -rf "$scratch"
}

# diagnose says what a person would look at next.
diagnose() {
	{
		printf '\nThe sessions and the end of the operator'\''s log:\n'
		kubectl get dbg -A -o wide
		kubectl get dbg -n shop -o jsonpath='{range .items[*].status.conditions[*]}{.type}={.status} {.reason}: {.message}{"\n"}{end}'
		kubectl -n debugsession-system get pods
		kubectl -n debugsession-system logs deployment/debugsession-operator --tail=15 | cut -c 1-400
	} >&2 || true
}
