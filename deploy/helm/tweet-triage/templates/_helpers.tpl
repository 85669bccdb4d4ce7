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

{{- /* The brokers as pods of other namespaces find them: a name without a dot is one of ours. */}}
{{- define "tt.brokersFromElsewhere" -}}
{{- $found := list -}}
{{- range .Values.settings.kafka.bootstrap_servers -}}
{{- $parts := splitn ":" 2 . -}}
{{- $found = append $found (contains "." . | or (hasPrefix "[" .) | ternary . (printf "%s.%s.svc:%s" $parts._0 $.Release.Namespace $parts._1)) -}}
{{- end -}}
{{ join "," $found }}
{{- end }}

{{- define "tt.group" -}}
{{- $section := get .root.Values.settings .section | default dict -}}
{{ printf "%s%s" (ternary .root.Values.settings.topics.prefix "" .prefixed) (get $section "group" | default .default) }}
{{- end }}

{{- /* Whether the broker is shown a certificate. */}}
{{- define "tt.mutual" -}}
{{- if or .Values.kafka.clientCertificate (and .Values.strimzi.users.enabled (eq .Values.strimzi.users.type "tls")) }}yes{{ end -}}
{{- end }}

{{- /* Further components name what differs from this; the values of the four are whole. */}}
{{- define "tt.complete" -}}
{{- $plain := dict "enabled" true "replicas" 1 "partitioned" false "staticMembership" false "x" false "drainSeconds" 20 "tmpSize" "64Mi" -}}
{{- $_ := set $plain "startup" (dict "path" "/healthz" "budgetSeconds" 120) -}}
{{- $_ := set $plain "kafka" (dict "existingSecret" "" "username" "") -}}
{{- $_ := set $plain "scaling" (dict "enabled" false) -}}
{{- range list "extraEnv" "extraVolumes" "extraVolumeMounts" }}{{ $_ := set $plain . list }}{{ end -}}
{{- range $name, $one := .Values.components -}}
{{- $_ := set $.Values.components $name (mergeOverwrite (deepCopy $plain) $one) -}}
{{- end -}}
{{- end }}

{{- /* So long a pod may take to stop: its drain, and of who posts at least a call and what follows it. */}}
{{- define "tt.grace" -}}
{{- $drain := int .one.drainSeconds -}}
{{- if eq (first .one.command) "post" -}}
{{- $drain = max $drain (int (ceil (addf 20 (dig "poster" "call_timeout_s" 30 .root.Values.settings)))) -}}
{{- end -}}
{{ add $drain 10 }}
{{- end }}

{{- /* A size such as 64Mi in bytes. */}}
{{- define "tt.bytes" -}}
{{- $units := dict "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 -}}
{{ mul (trimSuffix "Ki" . | trimSuffix "Mi" | trimSuffix "Gi" | int64) (get $units (substr (sub (len .) 2 | int) -1 .)) }}
{{- end }}

{{- /* What cannot work is refused here, with what to do. */}}
{{- define "tt.check" -}}
{{- include "tt.complete" . -}}
{{- include "tt.checkUsers" . -}}
{{- include "tt.checkOthers" . -}}
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
{{- if and $scaled (gt (int $one.scaling.min) (int $one.scaling.max)) -}}
{{- fail (printf "components.%s.scaling.min is %d and its max %d: not more at least than at most" $name (int $one.scaling.min) (int $one.scaling.max)) -}}
{{- end -}}
{{- $object := printf "%s-%s" (include "tt.fullname" $) $name -}}
{{- if gt (len $object) 52 -}}
{{- fail (printf "%s is longer than 52 characters, and Kubernetes puts 11 behind it: shorten the component's name, or set fullnameOverride" $object) -}}
{{- end -}}
{{- $spilled := int64 (dig "listener" "spill" "bytes" 1073741824 $.Values.settings) -}}
{{- if and (eq (first $one.command) "listen") (not (dig "listener" "spill" "folder" "" $.Values.settings)) (ge $spilled (include "tt.bytes" $one.tmpSize | int64)) -}}
{{- fail (printf "components.%s.tmpSize is %s and settings.listener.spill.bytes %d, which lie in it: the kubelet would end the pod when Kafka is away" $name $one.tmpSize $spilled) -}}
{{- end -}}
{{- if and $one.x (not $.Values.x.existingSecret) -}}
{{- fail (printf "components.%s speaks with X: make a Secret with the credentials and name it in x.existingSecret" $name) -}}
{{- end -}}
{{- $secret := include "tt.kafkaSecret" (dict "root" $ "name" $name "secret" $one.kafka.existingSecret) -}}
{{- if not (include "tt.letIn" (dict "root" $ "secret" $secret)) -}}
{{- fail "Kafka wants a password or a certificate: name a Secret in kafka.existingSecret, or set strimzi.users.enabled" -}}
{{- end -}}
{{- $username := include "tt.kafkaUsername" (dict "root" $ "name" $name "username" $one.kafka.username) -}}
{{- if and (include "tt.sasl" $) (not $username) (ne (toString $.Values.settings.kafka.sasl_mechanism) "OAUTHBEARER") -}}
{{- fail (printf "whose password is in %s? Name the user in kafka.username, or components.%s.kafka.username" $secret $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- /* Whether Kafka lets in whoever has no Secret; called with root, secret. */}}
{{- define "tt.letIn" -}}
{{- if or .secret (not (or (include "tt.sasl" .root) (include "tt.mutual" .root))) }}yes{{ end -}}
{{- end }}

{{- /* Whether there is a user for `helm test`, which looks at all topics. */}}
{{- define "tt.tested" -}}
{{- $secret := include "tt.kafkaSecret" (dict "root" . "name" "operator" "secret" .Values.topicsJob.existingSecret) -}}
{{- if or .Values.topicsJob.enabled .Values.strimzi.users.operator (not .Values.strimzi.users.enabled) -}}
{{ include "tt.letIn" (dict "root" . "secret" $secret) }}
{{- end -}}
{{- end }}

{{- /* What runs beside the programs needs a user too. */}}
{{- define "tt.checkOthers" -}}
{{- $operator := include "tt.kafkaSecret" (dict "root" . "name" "operator" "secret" .Values.topicsJob.existingSecret) -}}
{{- $scaler := include "tt.kafkaSecret" (dict "root" . "name" "scaler" "secret" .Values.keda.existingSecret) -}}
{{- if and .Values.topicsJob.enabled (not (include "tt.letIn" (dict "root" . "secret" $operator))) -}}
{{- fail "the job makes topics as a user that may: name its Secret and user in topicsJob.existingSecret and topicsJob.username" -}}
{{- end -}}
{{- if and .Values.keda.enabled (not (include "tt.letIn" (dict "root" . "secret" $scaler))) -}}
{{- fail "keda asks Kafka for the lag: name the Secret and user of one that may look in keda.existingSecret and keda.username" -}}
{{- end -}}
{{- end }}

{{- /* Users that the pods would not use, or could not. */}}
{{- define "tt.checkUsers" -}}
{{- if .Values.strimzi.users.enabled -}}
{{- $protocol := .Values.settings.kafka.security_protocol -}}
{{- if and (eq .Values.strimzi.users.type "tls") (ne $protocol "SSL") -}}
{{- fail (printf "strimzi.users.type is tls and settings.kafka.security_protocol %s: certificates want SSL" $protocol) -}}
{{- end -}}
{{- if and (eq .Values.strimzi.users.type "scram-sha-512") (not (include "tt.sasl" .)) -}}
{{- fail (printf "strimzi.users.type is scram-sha-512 and settings.kafka.security_protocol %s: passwords want SASL_SSL" $protocol) -}}
{{- end -}}
{{- $known := list -}}
{{- range .Files.Get "files/access.yaml" | fromYamlArray }}{{ $known = append $known .name }}{{ end -}}
{{- $elsewhere := and .Values.strimzi.namespace (ne .Values.strimzi.namespace .Release.Namespace) -}}
{{- range $name, $one := .Values.components -}}
{{- if and $one.enabled (not $one.kafka.existingSecret) -}}
{{- if not (has $name $known) -}}
{{- fail (printf "no rights are known for components.%s: make a KafkaUser for it, and name its Secret and user in components.%s.kafka" $name $name) -}}
{{- end -}}
{{- if $elsewhere -}}
{{- fail (printf "the users' Secrets appear in strimzi.namespace (%s), where pods of %s cannot mount them: copy them, and name the copy in components.%s.kafka.existingSecret" $.Values.strimzi.namespace $.Release.Namespace $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
