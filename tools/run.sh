#!/usr/bin/env bash
# Runs the operator of the work tree on this machine, against kubectl's current cluster: `make run`. HOST is this machine's address as the
# cluster's API server reaches it; ARGS are more flags of the operator. It has the service account's rights and no others.
#
# What is in the cluster is config/default with no replicas, and the webhooks' Service leads here. All of it stays when this ends.
set -euo pipefail
cd "$(dirname "$0")/.."

kustomize=$1
namespace=debugsession-system
account=debugsession-operator

context=$(kubectl config current-context) || { echo "make run: set KUBECONFIG to a cluster's, as by: export KUBECONFIG=\$(make kubeconfig)" >&2; exit 1; }
if [[ -z ${HOST:-} ]]; then
	server=$(kubectl config view --minify -o jsonpath='{.clusters[0].cluster.server}')
	server=${server#*://} server=${server%%/*} server=${server%:*} server=${server#[} server=${server%]}
	HOST=$(ip -oneline route get "$(getent ahosts "$server" | awk 'NR == 1 { print $1 }')" | grep -oP 'src \K\S+') || true
fi
case ${HOST:-} in
'' | 127.* | ::1)
	echo "make run: set HOST to this machine's address as the cluster's API server reaches it, such as that of the cluster's bridge" >&2
	exit 1
	;;
esac
family=IPv4
[[ $HOST != *:* ]] || family=IPv6

echo "The operator will be installed without replicas in the cluster of context $context, and run here, at $HOST."
if [[ ${YES:-} != 1 ]]; then
	read -rp "Go on? [y/N] " answer || true
	[[ ${answer:-} == [yY]* ]] || { echo "Nothing was done."; exit 1; }
fi

"$kustomize" build config/default | sed 's/^  replicas: 2$/  replicas: 0/' | kubectl apply --server-side --force-conflicts --field-manager=make-run -f - >/dev/null
kubectl -n "$namespace" patch service debugsession-webhook --type=merge --patch '{"spec": {"selector": null}}' >/dev/null
kubectl -n "$namespace" delete endpointslices --selector=kubernetes.io/service-name=debugsession-webhook >/dev/null
kubectl apply -f - >/dev/null <<END
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  namespace: $namespace
  name: debugsession-webhook-run
  labels: {kubernetes.io/service-name: debugsession-webhook, endpointslice.kubernetes.io/managed-by: make-run}
addressType: $family
ports: [{name: webhook, port: 9443, protocol: TCP}]
endpoints: [{addresses: ["$HOST"], conditions: {ready: true}}]
END

folder=$(mktemp -d)
restore="kubectl -n $namespace delete endpointslice debugsession-webhook-run; kubectl apply -f dist/install.yaml"
trap 'rm -rf "$folder"; echo "New sessions are refused until make run runs again, or until the installed operator does: $restore"' EXIT
(umask 077 && kubectl config view --minify --flatten --raw >"$folder/kubeconfig")
token=$(kubectl -n "$namespace" create token "$account" --duration=12h)
export KUBECONFIG=$folder/kubeconfig
kubectl config delete-user "$(kubectl config view --minify -o jsonpath='{.contexts[0].context.user}')" >/dev/null
kubectl config set-credentials "$account" --token="$token" >/dev/null
kubectl config set-context --current --user="$account" >/dev/null
# shellcheck disable=SC2086 # several flags
go run ./cmd/manager --leader-elect --namespace="$namespace" --metrics-bind-address=0 --zap-log-level=debug ${ARGS:-}
