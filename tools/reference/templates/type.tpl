{{- define "type" }}
{{- if markdownShouldRenderType . }}
## {{ .Name }}

{{ trim .Doc }}
{{- with .SortedReferences }}

Used in {{ range $i, $type := . }}{{ if $i }}, {{ end }}{{ markdownRenderTypeLink $type }}{{ end }}.
{{- end }}
{{- with index .Markers "kubebuilder:validation:XValidation" }}

Rules:

{{ range . }}- {{ .Message }}
{{ end }}
{{- else }}
{{ end }}
{{- if .EnumValues }}
{{ range .EnumValues }}- `{{ .Name }}`{{ with .Doc }}: {{ trim . | replace "\n" " " }}{{ end }}
{{ end }}
{{- end }}
{{- with .GVK }}
### `apiVersion`, `kind`

`{{ .Group }}/{{ .Version }}`, `{{ .Kind }}`
{{ end }}
{{- range .Members }}
{{- template "type_members" . }}
{{- end }}
{{- end }}
{{- end -}}
