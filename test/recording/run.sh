#!/usr/bin/env bash
# Records kubectl dbg, and measures it beside kubectl debug: `make recording`. It draws docs/kubectl-dbg.svg, and prints the table of
# docs/performance.md.
set -euo pipefail
cd "$(dirname "$0")/../.."

kubectl apply -f "$INSTALL" >/dev/null
kubectl -n debugsession-system rollout status deployment/debugsession-operator --timeout=90s >/dev/null
kubectl wait --for=create debugclass/standard --timeout=60s >/dev/null
kubectl delete namespace shop --ignore-not-found # of an earlier one
kubectl create namespace shop
trap 'kubectl delete namespace shop --wait=false' EXIT
kubectl -n shop apply -f - <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: {name: checkout}
spec:
  selector: {matchLabels: {app: checkout}}
  template:
    metadata: {labels: {app: checkout}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: app, image: "server:v1", env: [{name: PORT, value: "8080"}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: crash}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: app, image: "busybox:1.36", command: [sh, -c, "sleep 1; exit 1"]}]
YAML
kubectl -n shop rollout status deployment/checkout --timeout=60s
kubectl config set-context --current --namespace=shop
kubectl -n shop wait pod/crash --for=jsonpath='{.status.containerStatuses[0].restartCount}'=2 --timeout=60s
go run ./test/recording -measure "${TIMES:-5}" -svg docs/kubectl-dbg.svg
