#!/usr/bin/env bash
# Does the flows of docs/gitops.md with Argo CD, on kubectl's current cluster, and prints a table. It needs
#
#   - the operator, and Argo CD 2.13 or later in the namespace argocd, with sessions' health check (config/argocd/argocd-cm.yaml) and
#     impersonation: application.sync.impersonation.enabled: "true" in the ConfigMap argocd-cm. Without it, sessions and approvals would be
#     applied by one account, which cannot approve what it asked for;
#   - REPOSITORY: the URL of an empty Git repository, to which git may push here, and which Argo CD may read.
#
# SYNC_OPTIONS=ServerSideApply=true has it apply so. It makes the namespaces argotest and argotest-gitops, and the classes and what else
# examples/gitops has for a team, and deletes them at the end.
set -euo pipefail
: "${REPOSITORY:?set it to the URL of an empty Git repository}"
IMAGE=${IMAGE:-busybox:1.36}
SYNC_OPTIONS=${SYNC_OPTIONS:-}
team=argotest
here=$(cd "$(dirname "$0")" && pwd)
example=$here/../../examples/gitops
work=$(mktemp -d)

die() { echo "argocd.sh: $*" >&2; exit 1; }

# until_true TRIES COMMAND... waits as many seconds for a command to succeed.
until_true() {
	local tries=$1
	shift
	for ((i = 0; i < tries; i++)); do
		if "$@" >/dev/null 2>&1; then return; fi
		sleep 1
	done
	die "waited $tries s in vain: $*"
}

## The tool. Everything else is the same for any.

application() { # NAME [ACCOUNT]
	cat <<-END
		apiVersion: argoproj.io/v1alpha1
		kind: AppProject
		metadata: {name: $team-$1, namespace: argocd}
		spec:
		  sourceRepos: ["$REPOSITORY"]
		  destinations: [{server: https://kubernetes.default.svc, namespace: $team}]
		  destinationServiceAccounts:
		  - {server: https://kubernetes.default.svc, namespace: $team, defaultServiceAccount: "$team-gitops:${2:-$1}"}
		---
		apiVersion: argoproj.io/v1alpha1
		kind: Application
		metadata:
		  name: $team-$1
		  namespace: argocd
		  annotations: {argocd.argoproj.io/compare-options: ServerSideDiff=false} # it would compare as Argo CD itself, and be refused
		spec:
		  project: $team-$1
		  source: {repoURL: "$REPOSITORY", targetRevision: main, path: $1/$team}
		  destination: {server: https://kubernetes.default.svc, namespace: $team}
		  syncPolicy:
		    automated: {prune: true, selfHeal: true, allowEmpty: true}
		    syncOptions: [$SYNC_OPTIONS]
		    retry: {limit: 1, refresh: true} # left out, Argo CD tries for five minutes what was refused, and nothing else meanwhile
		---
	END
}

applications() { application sessions && application approvals && application archive sessions; }
install_tool() { applications | kubectl apply -f - >/dev/null; }
remove_tool() { applications | kubectl delete --ignore-not-found -f - >/dev/null; }

# told NAME FIELD... prints fields of an Application, with | between them.
told() {
	local IFS='|'
	kubectl -n argocd get application "$team-$1" -o jsonpath="${*:2}"
}

# settled NAME REVISION: that revision was compared since it was asked for, and is applied, or was tried in vain.
settled() {
	local state
	state=$(told "$1" '{.metadata.annotations.argocd\.argoproj\.io/refresh}' '{.status.sync.status} {.status.sync.revision}' \
		'{.status.operationState.phase} {.status.operationState.syncResult.revision}')
	case $state in
	*"|Running "*) false ;;
	"|Synced $2|"* | "|OutOfSync $2|Failed $2" | "|OutOfSync $2|Error $2") true ;;
	*) false ;;
	esac
}

# sync NAME has the tool apply what is pushed, and says why it could not, if so.
sync() {
	local revision
	revision=$(git -C "$work/tree" rev-parse HEAD)
	kubectl -n argocd annotate application "$team-$1" argocd.argoproj.io/refresh=hard --overwrite >/dev/null
	(until_true 180 settled "$1" "$revision") ||
		die "$team-$1: $(told "$1" '{.status.conditions[*].message}' '{.status.operationState.message}')"
	told "$1" '{.status.operationState.message}' '{.status.operationState.syncResult.resources[*].message}'
}

# shows NAME HEALTH: what the tool shows of all that it applied.
shows() { until_true 60 healthy "$1" "$2"; }
healthy() { [[ $(told "$1" '{.status.health.status}') == "$2" ]]; }

## The repository, and what is in the cluster.

push() { # MESSAGE
	git -C "$work/tree" add --all
	git -C "$work/tree" commit --quiet --message="$1"
	git -C "$work/tree" push --quiet origin HEAD:main
}
revert() { git -C "$work/tree" revert --no-edit HEAD >/dev/null && git -C "$work/tree" push --quiet origin HEAD:main; }
in_seconds() { date -u -d "+$1 seconds" +%Y-%m-%dT%H:%M:%SZ; }
file() { echo "$work/tree/$1/$team/$session.yaml"; }

# write FIELDS writes the session's file: notAfter in an hour, if the fields do not say another.
write() {
	local class=$1 fields=${2:-}
	[[ $fields == *notAfter* ]] || fields+=", notAfter: \"$(in_seconds 3600)\""
	cat >"$(file sessions)" <<-END
		apiVersion: debugsession.dev/v1alpha1
		kind: DebugSession
		metadata: {name: $session, namespace: $team${metadata:+, $metadata}}
		spec:
		  className: $class
		  reason: "INC-1234: ${reason:-requests hang}"
		  target: {workload: {kind: Deployment, name: checkout}}
		  debugger: {image: "$IMAGE", command: [sh], stdin: true, tty: true}
		  access: {subjects: [{kind: Group, name: ${group:-$team-developers}}]}
		  $(sed 's/^, *//; s/, *\([a-zA-Z]*:\)/\n  \1/g' <<<"$fields")
	END
}
write_approval() { # DECISION HASH
	cat >"$(file approvals)" <<-END
		apiVersion: debugsession.dev/v1alpha1
		kind: DebugApproval
		metadata: {name: $session, namespace: $team}
		spec: {sessionName: $session, decision: $1${2:+, requestHash: "$2"}}
	END
}
get() { kubectl -n $team get debugsession "$session" -o jsonpath="{$1}"; }
is() { [[ $(get "$1") == "$2" ]]; }
lasts_beyond() { [[ $(get .status.expiresAt) > $1 ]]; }
gone() { ! kubectl -n $team get debugsession "$session"; }
reaches() { until_true 180 is .status.phase "$1"; }
ends() { reaches Ended && until_true 60 is .metadata.finalizers '' && { is .status.outcome "$1" || die "$session ended as $(get .status.outcome), not $1"; }; }
expect() { "$@" || die "$session: $*"; }
contains() { [[ $1 == *"$2"* ]] || die "$session: expected \"$2\", but was told: $1"; }

active() { # [FIELDS]
	write $team-merged "${1:-}"
	push "Debug the checkout"
	sync sessions
	reaches Active
	shows sessions Healthy
}
asks() {
	group=oncall write production
	push "Debug the checkout"
	sync sessions
	reaches AwaitingApproval
	shows sessions Suspended
}
decide() { # DECISION
	write_approval "$1" "$(get .status.request.hash)"
	push "$1 it"
	sync approvals
}
stays() { # an ended session is not written, however often it is applied
	local version
	version=$(get '.metadata.uid} {.metadata.resourceVersion')
	for _ in 1 2 3; do sync sessions; done
	expect is '.metadata.uid} {.metadata.resourceVersion' "$version"
}
never() { ends Expired && expect is .status.startedAt '' && shows sessions Healthy && stays; }

## The flows.

applied_again() { active ", notAfter: \"$(in_seconds 30)\"" && ends Expired && stays; }
edited() {
	local until
	until=$(in_seconds 3600)
	active ", ttl: 20m, notAfter: \"$until\""
	local before
	before=$(get .status.expiresAt)
	write $team-merged ", ttl: 40m, notAfter: \"$until\""
	push "Take longer"
	sync sessions
	until_true 60 lasts_beyond "$before"
	write $team-merged ", ttl: 40m, end: true, notAfter: \"$until\""
	push "End it"
	sync sessions
	ends Terminated
}
edited_after_its_end() {
	local until
	until=$(in_seconds 3600)
	active ", notAfter: \"$until\""
	write $team-merged ", end: true, notAfter: \"$until\""
	push "End it"
	sync sessions
	ends Terminated
	metadata='labels: {incident: "1234"}' write $team-merged ", ttl: 5m, notAfter: \"$until\""
	push "Have it back"
	sync sessions
	ends Terminated
	stays
}
immutable() {
	local until
	until=$(in_seconds 3600)
	active ", notAfter: \"$until\""
	reason=another write $team-merged ", notAfter: \"$until\""
	push "Say why"
	contains "$(sync sessions)" "reason cannot be changed"
	expect is .status.phase Active
	revert
	sync sessions
}
by_hand() {
	active ", ttl: 20m"
	kubectl -n $team patch debugsession "$session" --type=merge -p '{"spec":{"ttl":"40m"}}' >/dev/null
	sync sessions
	until_true 180 is .spec.ttl 20m
}
ended_by_hand() {
	active
	kubectl -n $team patch debugsession "$session" --type=merge -p '{"spec":{"end":true}}' >/dev/null
	ends Terminated && stays
}
as_another() { kubectl apply --server-side --force-conflicts -f "$(file sessions)" 2>&1 || true; }
by_another() {
	local until
	until=$(in_seconds 3600)
	active ", notAfter: \"$until\""
	contains "$(as_another)" "$team-gitops:sessions"
	expect is .status.phase Active
	write $team-merged ", end: true, notAfter: \"$until\""
	as_another
	ends Terminated
}
removed() {
	active
	rm "$(file sessions)"
	push "Close the incident"
	sync sessions
	until_true 180 gone
}
added_again() {
	active ", notAfter: \"$(in_seconds 40)\""
	ends Expired
	cp "$(file sessions)" "$work/kept"
	rm "$(file sessions)"
	push "Close the incident"
	sync sessions
	until_true 180 gone
	cp "$work/kept" "$(file sessions)"
	push "Bring it back by mistake"
	sync sessions
	never
}
deleted() {
	active
	local before
	before=$(get .metadata.uid)
	kubectl -n $team delete debugsession "$session" >/dev/null
	sync sessions
	reaches Active
	[[ $(get .metadata.uid) != "$before" ]] || die "$session is the same session"
}
deleted_afterwards() {
	active ", notAfter: \"$(in_seconds 40)\""
	ends Expired
	kubectl -n $team delete debugsession "$session" >/dev/null
	sync sessions
	until_true 180 is .status.phase Ended
	never
}
exempt() { active && expect is .spec.requester.username "system:serviceaccount:$team-gitops:sessions" && expect is .status.approvals ''; }
approved() {
	asks
	decide Approve
	reaches Active
	shows approvals Healthy
	revert
	sync approvals
	ends Revoked && shows sessions Healthy && stays
}
denied() {
	asks
	decide Deny
	ends Denied
	shows sessions Degraded
	revert
	sync approvals
	stays
}
together() {
	group=oncall write production
	write_approval Approve "sha256:$(printf '0%.0s' {1..64})"
	push "Debug the checkout, and approve it"
	sync sessions
	local said
	said=$(sync approvals)
	reaches AwaitingApproval
	[[ $said == *requestHash* ]] || until_true 60 counts_for Unbound
	rm "$(file approvals)"
	push "Take it back"
	sync approvals
	decide Approve
	reaches Active
}
left_over() {
	asks
	decide Approve
	reaches Active
	rm "$(file sessions)"
	push "Close the incident, and forget the approval"
	sync sessions
	until_true 180 gone
	sync approvals
	until_true 60 counts_for OtherSession
	shows approvals Degraded
}
counts_for() {
	[[ $(kubectl -n $team get debugapproval "$session" -o jsonpath='{.status.conditions[?(@.type=="Counted")].reason}') == "$1" ]]
}
moved() {
	local before
	metadata='annotations: {argocd.argoproj.io/sync-options: Prune=false}' active
	before=$(get .metadata.uid)
	git -C "$work/tree" mv "sessions/$team/$session.yaml" "archive/$team/"
	push "Move it"
	sync archive
	sync sessions
	expect is '.metadata.uid} {.status.phase' "$before Active"
	contains "$(get '.metadata.annotations.argocd\.argoproj\.io/tracking-id')" "$team-archive:"
	sed -i 's/, annotations: {[^}]*}//' "$work/tree/archive/$team/$session.yaml"
	push "Let it be pruned again"
	sync archive
	expect is '.metadata.uid} {.status.phase' "$before Active"
	rm "$work/tree/archive/$team/$session.yaml"
	push "Close the incident"
	sync archive
	until_true 180 gone
}

## Run.

clean_up() {
	remove_tool || true
	kubectl -n $team delete debugsessions,debugapprovals --all >/dev/null || true
	kubectl delete --ignore-not-found namespace $team $team-gitops >/dev/null || true
	kubectl delete --ignore-not-found -f "$work/tree/classes" -f "$work/tree/teams/$team/class.yaml" >/dev/null || true
	rm -rf "$work"
}

set_up() {
	cp -r "$example" "$work/tree"
	for folder in teams sessions approvals; do
		cp -r "$work/tree/$folder/shop" "$work/tree/$folder/$team"
	done
	rm -r "$work/tree/teams/$team/flux.yaml" "$work/tree/sessions/$team"/*.yaml "$work/tree/approvals/$team"/*.yaml
	sed -i "s/shop/$team/g" "$work/tree/teams/$team"/*.yaml
	mkdir -p "$work/tree/archive/$team" && echo "This file keeps the folder." >"$work/tree/archive/$team/README.md"
	git -C "$work/tree" init --quiet --initial-branch=main
	git -C "$work/tree" config user.name argocd.sh && git -C "$work/tree" config user.email argocd.sh@example.com
	git -C "$work/tree" remote add origin "$REPOSITORY"
	push "Lay out the repository"
	kubectl apply -f "$work/tree/classes" -f "$work/tree/teams/$team/namespaces.yaml" >/dev/null
	kubectl apply -f "$work/tree/teams/$team" >/dev/null
	kubectl -n $team create deployment checkout --image="$IMAGE" -- sleep infinity >/dev/null
	kubectl -n $team rollout status deployment checkout --timeout=5m >/dev/null
	install_tool
}

count=0 failed=0
flow() { # NAME FUNCTION
	local commits result=ok
	count=$((count + 1))
	session=flow-$count
	commits=$(git -C "$work/tree" rev-list --count HEAD)
	# Not in a condition, where set -e has no effect.
	set +e
	(set -e; "$2") >"$work/said" 2>&1
	(($? == 0)) || { result="FAILED: $(tail -1 "$work/said")"; failed=1; }
	set -e
	printf '%s\t%d commits\t%s\n' "$1" $(($(git -C "$work/tree" rev-list --count HEAD) - commits)) "$result"
	rm -f "$(file sessions)" "$(file approvals)"
	git -C "$work/tree" diff --quiet HEAD || { push "Remove $session"; sync sessions; sync approvals; } >/dev/null
}

trap clean_up EXIT
set_up
flow 'it is applied again, also after its end' applied_again
flow 'a commit changes its `ttl`, then `end`' edited
flow 'a commit changes its labels, `ttl` or `end` after its end' edited_after_its_end
flow 'a commit changes any other field of its spec' immutable
flow 'somebody changes its `ttl` by hand' by_hand
flow 'somebody sets `end: true` by hand' ended_by_hand
flow 'somebody else applies it: another service account, tool or person' by_another
flow 'its file is removed while it runs' removed
flow 'its file is removed, and added again when `notAfter` has passed' added_again
flow 'somebody deletes it by hand while it runs' deleted
flow 'somebody deletes it by hand when `notAfter` has passed' deleted_afterwards
flow 'the account that applies it is exempt from approval' exempt
flow 'its approval is committed later, by another account, and reverted' approved
flow 'its approval is a denial' denied
flow 'its approval is in the same commit' together
flow 'its approval is left over when its file is removed' left_over
flow 'its file is moved to another Kustomization or Application' moved
exit $failed
