#!/usr/bin/env bash
# Shows debugging sessions from start to end, as a transcript, and fails at the first thing that is not as it should
# be. Run it by `make demo`, which brings a cluster up and sets these:
#
#   KUBECONFIG, INSTALL  the cluster, and the file that installs the operator in it
#   CLUSTER=existing     it is the user's own cluster: what is there already is left alone, and nothing is left behind
#   KEEP=1               leave the workload and the sessions, to look at
#   APP_IMG              the workload's image: an HTTP server that listens on $PORT (server:v1, which test/cluster makes;
#                        another cluster has no such image, so name one)
set -euo pipefail
cd "$(dirname "$0")/../.."
source test/demo/transcript.sh

samples=config/samples
: "${APP_IMG:=server:v1}"
if [[ ${CLUSTER:-} == existing && $APP_IMG == server:v1 ]]; then
	echo "Only the cluster of test/cluster has the image server:v1: set APP_IMG to an HTTP server that listens on \$PORT." >&2
	exit 1
fi

clean_up() {
	local code=$?
	detach
	if ((code)); then
		((steps == 0)) || diagnose
	elif [[ ${KEEP:-} != 1 ]]; then
		[[ ${CLUSTER:-} != existing ]] || say "Removing what the demo made."
	fi
	if [[ ${KEEP:-} != 1 && -n ${made_namespace:-} ]]; then
		kubectl delete --ignore-not-found -f "$samples/production.yaml" >/dev/null
		kubectl delete namespace shop --wait="$([[ ${CLUSTER:-} == existing ]] && echo true || echo false)" >/dev/null
	fi
	if [[ ${KEEP:-} != 1 && -n ${installed:-} ]]; then
		kubectl -n debugsession-system delete --ignore-not-found --wait=false -f test/demo/auditor.yaml >/dev/null
		kubectl delete --ignore-not-found --wait=false debugsink/demo-approvers namespace/debugsession-demo pv/debugsession-demo-audit >/dev/null
	fi
	if [[ ${KEEP:-} != 1 && ${CLUSTER:-} == existing && -n ${installed:-} ]]; then
		kubectl delete -f "$INSTALL" >/dev/null
	fi
}
trap clean_up EXIT
trap 'exit 130' INT TERM

prepare() {
	if kubectl get namespace shop >/dev/null 2>&1; then
		[[ ${CLUSTER:-} != existing ]] || fail "the cluster has a namespace shop; the demo would use it, so it stops here"
		kubectl delete --ignore-not-found -f "$samples/production.yaml" >/dev/null # of an earlier demo
		kubectl delete namespace shop >/dev/null
	fi
}

install_operator() {
	step "Install the operator"
	if [[ ${CLUSTER:-} == existing ]] && kubectl get namespace debugsession-system >/dev/null 2>&1; then
		say "It is installed already, and used as it is."
	else
		installed=1
		run "kubectl apply -f ${INSTALL#"$PWD"/}"
	fi
	run "kubectl -n debugsession-system rollout status deployment/debugsession-operator --timeout=90s"
	expect "successfully rolled out" "it runs, in a namespace that enforces Pod Security level restricted"
	run "kubectl wait --for=create debugclass/standard --timeout=60s"
}

deploy_workload() {
	step "A workload without a shell"
	made_namespace=1
	say "The shop's checkout: two containers a pod, a static binary in each, and nothing else."
	if [[ $APP_IMG == server:v1 ]]; then
		run "kubectl apply -f $samples/checkout.yaml"
	else
		run "sed 's|server:v1|$APP_IMG|' $samples/checkout.yaml | kubectl apply -f -"
	fi
	run "kubectl -n shop rollout status deployment/checkout --timeout=90s"
	expect "successfully rolled out" "it serves"
	run "kubectl -n shop exec deployment/checkout -c app -- sh -c ps" may_fail
	expect "no such file or directory|not found" "there is nothing in it to look around with"
}

inject_debugger() {
	step "A debugger in a running pod"
	run "kubectl apply -f $samples/ephemeralcontainer.yaml"
	run "kubectl -n shop wait dbg/checkout-hang --for=condition=Attachable --timeout=60s"
	run "kubectl -n shop get dbg"
	expect "checkout-hang +checkout-.* EphemeralContainer +Active" "the session is Active"
	pod=$(field checkout-hang .status.target.podName)
	debugger=$(field checkout-hang .status.debugger.containerName)

	say "status.attach says how to get in:"
	attach "$(field checkout-hang .status.attach)"
	type_in "ps"
	expect "^ +1 [^ ]+ +[^ ]*/" "the target's process is there, as PID 1; the two that say debugsession are what ends the debugger in time"
	type_in "cat /proc/1/root/etc/checkout/checkout.properties"
	expect "payment.timeout = 0s" "the target's files are under /proc/1/root: this is what the application really reads"
}

copy_pod() {
	step "A copy of the pod, to take apart"
	run "kubectl apply -f $samples/podcopy.yaml"
	run "kubectl -n shop wait dbg/checkout-copy --for=condition=Attachable --timeout=60s"
	run "kubectl -n shop get pods"
	expect "checkout-copy +3/3 +Running" "the copy has the pod's two containers and the debugger"
	run "kubectl -n shop exec checkout-copy -c $(field checkout-copy .status.debugger.containerName) -- ps"
	(($(grep -cE '^ *[0-9]+ +[0-9]+ +/' <<<"$out") >= 3)) || fail "the copy's ps does not list all containers' processes"
	passed "the processes of all containers are there: the pod's own pause, and both servers"

	local ip
	ip=$(kubectl -n shop get pod checkout-copy -o jsonpath='{.status.podIP}')
	run "kubectl -n shop get endpointslices -l kubernetes.io/service-name=checkout"
	refuse "(^|[ ,])${ip//./\\.}(,|$| )" "the Service does not send it traffic: the copy's address is $ip"
	run "kubectl -n shop get pods -l app=checkout -o name"
	refuse "checkout-copy" "no label of the workload is on it"
	run "kubectl -n shop get pod checkout-copy -o jsonpath='{.metadata.ownerReferences[*].kind}'"
	expect "^DebugSession$" "no ReplicaSet took it: it is the session's"
}

time_runs_out() {
	step "Time runs out"
	say "The samples last 30 minutes. A ttl may be changed while a session is active; it counts from the start."
	local session
	for session in checkout-hang checkout-copy; do
		run "kubectl -n shop patch dbg/$session --type=merge -p '{\"spec\":{\"ttl\":\"$(seconds_since_start "$session" 8)s\"}}'"
	done
	run "kubectl -n shop get dbg"
	run "kubectl -n shop wait dbg --all --for=jsonpath='{.status.phase}'=Ended --timeout=60s"
	run "kubectl -n shop get dbg -o custom-columns=NAME:.metadata.name,OUTCOME:.status.outcome,EXPIRES:.status.expiresAt,ENDED:.status.endedAt"
	expect "checkout-copy +Expired" "the copy's session has expired"
	expect "checkout-hang +Expired" "the debugger's session has expired"
}

nothing_is_left() {
	step "Nothing is left but the record"
	run "kubectl -n shop get pod checkout-copy" may_fail
	expect "NotFound" "the copy is gone"
	attach_ended || fail "the attach that was open has not ended"
	passed "the attach that was open has ended"
	run "kubectl -n shop get pod $pod -o jsonpath='{.status.ephemeralContainerStatuses[?(@.name==\"$debugger\")].state}'"
	expect '^\{"terminated":' "the debugger's container has terminated"
	run "kubectl -n shop get pods"
	expect "$pod +2/2 +Running +0 " "the pod that was debugged runs on, with no restart"
	run "kubectl get --raw /api/v1/namespaces/shop/services/checkout:http/proxy/cart"
	[[ -n $out ]] || fail "the Service did not answer"
	passed "and its Service serves"
}

record_stays() {
	step "The record"
	local line='{.spec.reason}{"\n"}by {.spec.requester.username}, {.status.startedAt} to {.status.endedAt}, {.status.outcome}{"\n"}'
	line+='{.status.debugger.imageID}{"\n"}in container {.status.target.container} of pod {.status.target.podName}, {.status.target.podUID}{"\n"}'
	run "kubectl -n shop get dbg/checkout-hang -o jsonpath='$line'"
	expect "^INC-1234" "it says why"
	expect "^by [^,]+, .*Z to .*Z, Expired" "who, and from when to when"
	expect "@sha256:" "with what, and where"
	run "kubectl -n shop events --for debugsession/checkout-hang"
	expect "Expired" "its events tell the same story"
	say "Applied again, as a GitOps tool would:"
	run "kubectl apply -f $samples/ephemeralcontainer.yaml"
	run "kubectl -n shop wait dbg/checkout-hang --for=jsonpath='{.status.observedGeneration}'=$(field checkout-hang .metadata.generation) --timeout=5s" may_fail
	run "kubectl -n shop get dbg/checkout-hang -o wide"
	expect "Ended .* Expired " "an ended session stays ended"
}

somebody_must_agree() {
	step "Where somebody else must agree"
	run "kubectl apply -f $samples/production.yaml"
	say "alice may have sessions of class production, and bob may approve them. Neither may do anything else with pods."
	run_as alice "kubectl auth can-i create pods/attach -n shop" may_fail
	expect "^no" "alice cannot attach to anything"
	run_as alice "kubectl apply -f $samples/production_session.yaml"
	run_as alice "kubectl -n shop wait dbg/checkout-prod --for=jsonpath='{.status.phase}'=AwaitingApproval --timeout=30s"
	run_as bob "kubectl -n shop get dbg checkout-prod"
	expect "AwaitingApproval .*1 approval from someone allowed to approve class production" "it waits, and says for whom"
	run_as bob "kubectl -n shop get dbg checkout-prod -o jsonpath='{.status.request.preview}'"
	expect "docker.io/library/busybox:1.36" "bob sees what the API server would add to the pod"
	run_as alice "kubectl apply -f $samples/production_approval.yaml" may_fail
	expect "may not approve class" "alice cannot approve it herself"

	run_as bob "kubectl apply -f $samples/production_approval.yaml" may_fail
	expect "spec.requestHash: required by class .production." "bob has to name what he has seen"
	run_as bob "kubectl patch --local -f $samples/production_approval.yaml --type=merge -o yaml -p '{\"spec\":{\"requestHash\":\"$(field checkout-prod .status.request.hash)\"}}' | kubectl apply -f -"
	run_as alice "kubectl -n shop wait dbg/checkout-prod --for=condition=Attachable --timeout=60s"
	run_as alice "kubectl -n shop get dbg checkout-prod -o wide"
	expect "Active .* alice +bob +production" "it is Active, and says who asked and who approved"
	say "alice attaches, as alice:"
	attach "$(field checkout-prod .status.attach)" "$(kubeconfig_of alice)"
	type_in "ps"
	expect "^ +1 " "alice is in"

	say "bob takes his approval back, as the revert of a commit would:"
	run_as bob "kubectl delete -f $samples/production_approval.yaml"
	run_as alice "kubectl -n shop wait dbg/checkout-prod --for=jsonpath='{.status.phase}'=Ended --timeout=30s"
	run_as alice "kubectl -n shop get dbg checkout-prod"
	expect "Ended +Revoked" "the session is revoked"
	attach_ended || fail "the attach that was open has not ended"
	passed "alice is out: the attach that was open has ended"
	run_as alice "kubectl auth can-i create pods/attach/$(field checkout-prod .status.target.podName) -n shop" may_fail
	expect "^no" "and cannot attach again"
}

# The records are in a folder of a volume, which is what a cluster without an object store can have.
ring_the_doorbell() {
	step "An approver is told, and the record outlives its session"
	if [[ -z ${installed:-} ]]; then
		say "This needs an operator with an audit store, and the one that was here is used as it is."
		return
	fi
	run "kubectl apply -f test/demo/doorbell.yaml"
	run "kubectl -n debugsession-demo wait pod/doorbell --for=condition=Ready --timeout=60s"
	run "sed \"s|ADDRESS|\$(kubectl -n debugsession-demo get service doorbell -o jsonpath={.spec.clusterIP})|\" test/demo/sink.yaml | kubectl apply -f -"
	run "kubectl wait debugsink/demo-approvers --for=condition=Ready --timeout=60s"
	expect "condition met" "a sink is told of sessions of class production: here a server that prints, elsewhere Slack or a pager"

	if [[ ${CLUSTER:-} != existing ]]; then
		local folder
		folder=$(dirname "$KUBECONFIG")/demo-audit
		install -d -o 65532 -g 65532 "$folder"
		sed "s|FOLDER|$folder|" test/demo/volume.yaml | kubectl apply -f - >/dev/null
	fi
	run "kubectl kustomize config/audit-volume | sed 's|: debugsession/operator:dev$|: $IMG|' | kubectl apply -f - | grep -v unchanged"
	run "kubectl -n debugsession-system rollout status deployment/debugsession-operator --timeout=90s"
	# What the Service's proxy knows of a new pod comes a moment after it is ready.
	local until=$((SECONDS + 30))
	until kubectl patch debugclass production --dry-run=server --type=merge -p '{"spec":{"audit":"Required"}}' >/dev/null 2>&1; do
		((SECONDS < until)) || fail "the operator does not answer admission requests"
		sleep 0.2
	done
	run "kubectl patch debugclass production --type=merge -p '{\"spec\":{\"audit\":\"Required\",\"transcript\":\"Required\"}}'"
	say "From now on no session of class production is over before its record is stored, and what its debugger printed."
	run_as alice "sed 's/checkout-prod/checkout-again/' $samples/production_session.yaml | kubectl apply -f -"
	heard "is waiting for 1 approval"
	expect "alice asks to debug pod checkout-.* INC-4711: payments time out" "approvers are told who, what, where and why"
	local approve
	approve=$(grep -oE 'kubectl dbg approve [^ ]+ -n shop' <<<"$out" | head -n 1)
	[[ -n $approve ]] || fail "the message does not say how to approve"
	run_as bob "$approve --yes -m 'seen'"
	run_as alice "kubectl -n shop wait dbg/checkout-again --for=condition=Attachable --timeout=60s"
	passed "bob has approved what the message told him of, by the command in it"
	attach "$(field checkout-again .status.attach)" "$(kubeconfig_of alice)"
	type_in "grep payment /proc/1/root/etc/checkout/checkout.properties"
	expect "payment.timeout = 0s" "alice looks at what the application reads"
	run_as alice "kubectl -n shop patch dbg/checkout-again --type=merge -p '{\"spec\":{\"end\":true}}'"
	run_as alice "kubectl -n shop wait dbg/checkout-again --for=condition=Recorded --timeout=60s"
	heard "Session shop/checkout-again of alice ended"

	run_as alice "kubectl -n shop delete dbg checkout-again" may_fail
	expect "cannot delete" "its requester cannot erase it"
	run "kubectl -n shop delete dbg checkout-again"
	say "An administrator can, and the record is still there. An auditor reads the store, with no right in the cluster:"
	run "kubectl apply -f test/demo/auditor.yaml"
	run "kubectl -n debugsession-system wait pod/auditor --for=condition=Ready --timeout=60s"
	mkdir "$scratch/audit"
	run "kubectl -n debugsession-system exec auditor -- tar -c -C /audit/audit . | tar -x -C $scratch/audit"
	run "kubectl dbg audit list --store=file://$scratch/audit --class=production"
	expect "alice.*checkout-again|checkout-again.*alice" "who debugged what, and how it ended"
	run "kubectl dbg replay checkout-again -n shop --store=file://$scratch/audit -o text"
	expect "payment.timeout = 0s" "and what was printed in it, to read or to play as it was"
	run "kubectl -n debugsession-system get configmap debugsession-audit -o jsonpath='{.data.publicKey}' >$scratch/key"
	run "kubectl dbg audit verify --store=file://$scratch/audit --public-key=\"\$(<$scratch/key)\""
	expect "nothing was changed, removed or added" "the signed chain vouches for it"
	run "sed -i 's/INC-4711/INC-0000/' $scratch/audit/records/*/shop/checkout-again-*.json"
	run "kubectl dbg audit verify --store=file://$scratch/audit --public-key=\"\$(<$scratch/key)\"" may_fail
	expect "RecordChanged" "and tells of a record that somebody has changed"
}

# heard WORDS waits until the sink was told something, and shows what it was told: it is then in $out.
heard() {
	local until=$((SECONDS + 30))
	until kubectl -n debugsession-demo logs doorbell | grep -qF -- "$1"; do
		((SECONDS < until)) || fail "the sink was not told: $1"
		sleep 0.2
	done
	run "kubectl -n debugsession-demo logs doorbell | grep -F '$1'"
}

prepare
install_operator
deploy_workload
inject_debugger
copy_pod
time_runs_out
nothing_is_left
record_stays
somebody_must_agree
ring_the_doorbell
printf '\n%s steps, %s checks, all as they should be, in %s s.\n' "$steps" "$checks" "$SECONDS"
