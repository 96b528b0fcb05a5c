{{- define "gvDetails" }}
What `kubectl explain` tells, on one page: the kinds of `{{ .GroupVersionString }}`, their fields, defaults and limits.

{{ range .SortedKinds -}}
- {{ $.TypeForKind . | markdownRenderTypeLink }}
{{ end }}
{{- range .SortedTypes }}
{{- template "type" . }}
{{- end }}
{{- end -}}
