{{- define "type_members" }}
### `{{ .Name }}`

_{{ template "type_link" .Type }}_
{{- if index .Markers "required" }}, required{{ end }}
{{- with .Default }}, default `{{ . }}`{{ end }}
{{- range .Validation }}{{ template "limit" . }}{{ end }}

{{ if eq .Name "metadata" -}}
Name, namespace, labels and annotations, as of every object.
{{- else -}}
{{ trim .Doc }}
{{- end }}
{{- /* The rules of a field's type are told once, with the type. */ -}}
{{- $type := .Type }}
{{- if $type.UnderlyingType }}{{ if not $type.Markers }}{{ $type = $type.UnderlyingType }}{{ end }}{{ end }}
{{- if not (index $type.Markers "kubebuilder:validation:XValidation") }}
{{- with index .Markers "kubebuilder:validation:XValidation" }}
{{ range . }}
- {{ .Message }}
{{- end }}
{{- end }}
{{- end }}
{{ end -}}

{{- /* A limit comes as the marker says it, such as "MaxLength: 253". */ -}}
{{- define "limit" -}}
{{- $name := regexFind "^[^ ]+" . -}}
{{- $value := regexReplaceAll "^[^ ]+ " . "" -}}
{{- if eq $name "MaxLength:" }}, at most {{ $value }} characters
{{- else if eq $name "MinLength:" }}{{ if eq $value "1" }}, not empty{{ else }}, at least {{ $value }} characters{{ end }}
{{- else if eq $name "MaxItems:" }}, at most {{ $value }} items
{{- else if eq $name "MinItems:" }}, at least {{ $value }} items
{{- else if eq $name "Maximum:" }}, at most {{ $value }}
{{- else if eq $name "Minimum:" }}, at least {{ $value }}
{{- else if eq $name "Pattern:" }}, matching {{ $value }}
{{- else if eq $name "items:MaxLength:" }} of at most {{ $value }} characters
{{- else if eq $name "Enum:" }}, one of `{{ trimAll "[]" $value | replace " " "`, `" }}`
{{- else if not (has $name (list "Required:" "Optional:" "Schemaless:" "Type:" "items:Type:")) }}, {{ . }}
{{- end }}
{{- end -}}

{{- /* Kubernetes' reference has no section for its types that are one value. */ -}}
{{- define "type_link" -}}
{{- regexReplaceAll "\\[(Duration|PullPolicy|RawExtension|TerminationMessagePolicy|Time|UID)\\]\\([^)]*\\)" (markdownRenderType .) "${1}" -}}
{{- end -}}
