{{/* The labels of everything that the chart makes. */}}
{{- define "debugsession.labels" -}}
app.kubernetes.io/name: debugsession-operator
app.kubernetes.io/part-of: debugsession
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "debugsession.serviceAccountName" -}}
{{ .Values.serviceAccount.name }}
{{- end }}

{{- define "debugsession.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* What all pods of the chart have in common: they run as non-root, without a capability. */}}
{{- define "debugsession.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "debugsession.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop:
  - ALL
{{- end }}

{{- define "debugsession.scheduling" -}}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{/*
The pod of a hook: dict "root" the chart's scope, "name" the hook's service account, "args" what the operator's binary does. It runs with
a service account of its own, which has what the hook needs, and goes with it.
*/}}
{{- define "debugsession.hookPodSpec" -}}
{{- with .root -}}
serviceAccountName: {{ $.name }}
restartPolicy: Never
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "debugsession.scheduling" . }}
securityContext:
  {{- include "debugsession.podSecurityContext" . | nindent 2 }}
containers:
- name: hook
  image: {{ include "debugsession.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args:
  - hook
  - --timeout={{ .Values.hooks.timeoutSeconds }}s
  {{- range $.args }}
  - {{ . }}
  {{- end }}
  # What it said last is in the pod's status, too.
  terminationMessagePolicy: FallbackToLogsOnError
  {{- with .Values.hooks.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- include "debugsession.containerSecurityContext" . | nindent 4 }}
{{- end }}
{{- end }}

{{- define "debugsession.hookServiceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "debugsession.labels" .root | nindent 4 }}
  annotations:
    {{- include "debugsession.hookAnnotations" (dict "on" .on "weight" "-5") | nindent 4 }}
{{- end }}

{{- define "debugsession.hookBinding" -}}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .name }}
subjects:
- kind: ServiceAccount
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
{{- end }}

{{- define "debugsession.hookAnnotations" -}}
helm.sh/hook: {{ .on }}
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
helm.sh/hook-output-log-policy: hook-failed
{{- end }}

{{/* A class or a sink of the values: dict "root", "kind", "name", "object". */}}
{{- define "debugsession.object" -}}
---
apiVersion: debugsession.dev/v1alpha1
kind: {{ .kind }}
metadata:
  name: {{ .name }}
  {{- with .object.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  labels:
    app.kubernetes.io/part-of: debugsession
    {{- with .object.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- toYaml .object.spec | nindent 2 }}
{{- end }}
