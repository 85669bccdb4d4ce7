{{- define "tt.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "tt.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "tt.name" .) .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name (include "tt.name" .) | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- define "tt.selector" -}}
app.kubernetes.io/name: {{ include "tt.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tt.labels" -}}
{{ include "tt.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: tweet-triage
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "tt.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "tt.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{- define "tt.image" -}}
{{- if .Values.image.digest -}}
{{ printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else -}}
{{ printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end -}}
{{- end }}

{{- /* The Secret and the user of a principal; called with root, name, secret, username. */}}
{{- define "tt.kafkaSecret" -}}
{{- if .secret -}}
{{ .secret }}
{{- else if .root.Values.strimzi.users.enabled -}}
{{ printf "%s-%s" (include "tt.fullname" .root) .name }}
{{- else -}}
{{ .root.Values.kafka.existingSecret }}
{{- end -}}
{{- end }}

{{- define "tt.kafkaUsername" -}}
{{- if .username -}}
{{ .username }}
{{- else if .root.Values.strimzi.users.enabled -}}
{{ printf "%s-%s" (include "tt.fullname" .root) .name }}
{{- else -}}
{{ default (default "" .root.Values.settings.kafka.sasl_username) .root.Values.kafka.username }}
{{- end -}}
{{- end }}

{{- define "tt.sasl" -}}
{{- if hasPrefix "SASL" .Values.settings.kafka.security_protocol }}yes{{ end -}}
{{- end }}

{{- define "tt.group" -}}
{{- $section := get .root.Values.settings .section | default dict -}}
{{ printf "%s%s" (ternary .root.Values.settings.topics.prefix "" .prefixed) (get $section "group" | default .default) }}
{{- end }}

{{- /* What cannot work is refused here, with what to do. */}}
{{- define "tt.check" -}}
{{- $partitions := int .Values.settings.topics.partitions -}}
{{- range $name, $one := .Values.components -}}
{{- if $one.enabled -}}
{{- $scaled := and $.Values.keda.enabled $one.scaling.enabled -}}
{{- if and $one.partitioned (not $scaled) (gt (int $one.replicas) $partitions) -}}
{{- fail (printf "components.%s.replicas is %d and settings.topics.partitions %d: no more workers than partitions" $name (int $one.replicas) $partitions) -}}
{{- end -}}
{{- if and $scaled (gt (int $one.scaling.max) $partitions) -}}
{{- fail (printf "components.%s.scaling.max is %d and settings.topics.partitions %d: no more workers than partitions" $name (int $one.scaling.max) $partitions) -}}
{{- end -}}
{{- if and $one.x (not $.Values.x.existingSecret) -}}
{{- fail (printf "components.%s speaks with X: make a Secret with the credentials and name it in x.existingSecret" $name) -}}
{{- end -}}
{{- $secret := include "tt.kafkaSecret" (dict "root" $ "name" $name "secret" $one.kafka.existingSecret) -}}
{{- if and (or (include "tt.sasl" $) $.Values.kafka.clientCertificate) (not $secret) -}}
{{- fail "Kafka wants a password or a certificate: name a Secret in kafka.existingSecret, or set strimzi.users.enabled" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
