{{- /* What all our pods have in common. */}}
{{- define "tt.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.runAsUser }}
runAsGroup: {{ .Values.fsGroup }}
fsGroup: {{ .Values.fsGroup }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "tt.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- /* How to reach Kafka; called with root, secret, username. */}}
{{- define "tt.kafkaEnv" -}}
{{- $values := .root.Values -}}
- name: TRIAGE_SETTINGS
  value: /etc/triage/settings.yaml
- name: HOME
  value: /tmp
{{- if $values.kafka.ca.existingSecret }}
- name: TRIAGE_KAFKA__SSL_CAFILE
  value: /run/secrets/kafka-ca/{{ $values.kafka.ca.key }}
{{- end }}
{{- if include "tt.sasl" .root }}
- name: TRIAGE_KAFKA__SASL_PASSWORD_FILE
  value: /run/secrets/kafka/{{ $values.kafka.passwordKey }}
{{- with .username }}
- name: TRIAGE_KAFKA__SASL_USERNAME
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- if include "tt.mutual" .root }}
- name: TRIAGE_KAFKA__SSL_CERTFILE
  value: /run/secrets/kafka/{{ $values.kafka.certKey }}
- name: TRIAGE_KAFKA__SSL_KEYFILE
  value: /run/secrets/kafka/{{ $values.kafka.keyKey }}
{{- end }}
{{- end }}

{{- define "tt.kafkaMounts" -}}
- {name: settings, mountPath: /etc/triage, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- if .secret }}
- {name: kafka, mountPath: /run/secrets/kafka, readOnly: true}
{{- end }}
{{- if .root.Values.kafka.ca.existingSecret }}
- {name: kafka-ca, mountPath: /run/secrets/kafka-ca, readOnly: true}
{{- end }}
{{- end }}

{{- /* Called with root, secret, tmpSize. */}}
{{- define "tt.kafkaVolumes" -}}
- name: settings
  configMap:
    name: {{ include "tt.fullname" .root }}
- name: tmp
  emptyDir:
    sizeLimit: {{ .tmpSize }}
{{- if .secret }}
- name: kafka
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
{{- end }}
{{- with .root.Values.kafka.ca }}
{{- if .existingSecret }}
- name: kafka-ca
  secret:
    secretName: {{ .existingSecret }}
    defaultMode: 0440
{{- end }}
{{- end }}
{{- end }}

{{- define "tt.xEnv" -}}
{{- range $variable, $key := dict "BEARER_TOKEN" .Values.x.bearerTokenKey "CONSUMER_KEY" .Values.x.consumerKeyKey "CONSUMER_SECRET" .Values.x.consumerSecretKey }}
{{- if $key }}
- name: TRIAGE_X__{{ $variable }}_FILE
  value: /run/secrets/x/{{ $key }}
{{- end }}
{{- end }}
{{- end }}
