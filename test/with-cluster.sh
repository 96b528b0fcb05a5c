#!/usr/bin/env bash
# Runs a command against a real Kubernetes that can pull the operator's image:
#
#   test/with-cluster.sh COMMAND [ARGUMENT...]
#
# The cluster is one on this machine (test/cluster). If it is not up already, it is brought up, and taken down once the
# command is done, also when it fails or is interrupted; KEEP=1 leaves it up and says how to use it.
#
# CLUSTER=existing uses the cluster of kubectl's current context instead, after asking; YES=1 does not ask. A KUBECONFIG
# that happens to be set is never enough: nothing is installed in a cluster that was not named. No image is built for such
# a cluster: it must be able to pull IMG.
#
# The command finds KUBECONFIG, INSTALL (the file to apply, which names the image IMG) and kubectl on its PATH.
set -euo pipefail
cd "$(dirname "$0")/.."

: "${IMG:=debugsession/operator:dev}"
export INSTALL=$PWD/bin/install.yaml

existing_cluster() {
	local context answer=
	context=$(kubectl config current-context) ||
		{ echo "CLUSTER=existing needs kubectl with a current context: set KUBECONFIG" >&2; exit 1; }
	echo "The operator ($IMG) and its tests' namespaces will be made in the cluster of context $context:"
	kubectl cluster-info | head -n 1
	if [[ ${YES:-} != 1 ]]; then
		read -rp "Go on? [y/N] " answer || true
		[[ $answer == [yY]* ]] || { echo "Nothing was done."; exit 1; }
	fi
}

own_cluster() {
	if ! bin/cluster status >/dev/null 2>&1; then
		trap taken_down EXIT
		bin/cluster up
	fi
	# A command's exit status in an export is lost, so it is assigned first.
	KUBECONFIG=$(bin/cluster kubeconfig)
	PATH=$(bin/cluster assets):$PWD/bin:$PATH # where kubectl finds kubectl dbg
	export KUBECONFIG PATH
	# The tag tells which build this is: applied to a cluster that runs another, it is this one that runs then.
	IMG=${IMG%:*}:$(sha256sum bin/image/manager | cut -c 1-12)
	bin/cluster image-build --tag "$IMG" bin/image
}

taken_down() {
	if [[ ${KEEP:-} == 1 ]]; then
		cat <<-END

			The cluster is left up. To use it, and to end it:

			  export KUBECONFIG=$(bin/cluster kubeconfig)
			  export PATH=$(bin/cluster assets):\$PATH
			  kubectl get pods -A
			  make cluster-down
		END
	else
		bin/cluster down
	fi
}

if [[ ${CLUSTER:-} == existing ]]; then
	existing_cluster
else
	own_cluster
fi
sed "s|: debugsession/operator:dev\$|: $IMG|" dist/install.yaml >"$INSTALL"
"$@"
