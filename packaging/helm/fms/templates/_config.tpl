{{/* collector.yaml: what the chart knows, over what the values say. */}}
{{- define "fms.config" -}}
{{- $own := dict "data_dir" "/var/lib/fms-collector" -}}
{{- if .Values.profiles -}}
{{- $_ := set $own "profiles_dir" "/etc/fms-collector/profiles" -}}
{{- end -}}
{{- $services := list (printf "%s-gateways" (include "fms.name" .)) (include "fms.name" .) -}}
{{- $names := list -}}
{{- range $services -}}
{{- $names = concat $names (list . (printf "%s.%s.svc" . $.Release.Namespace) (printf "%s.%s.svc.cluster.local" . $.Release.Namespace)) -}}
{{- end -}}
{{- $tls := dict "host" "0.0.0.0" "port" 8883 "names" (concat .Values.names $names) -}}
{{- $_ := set $own "mqtt" (dict "plain" false "tls" $tls) -}}
{{- $_ := set $own "ca" (dict "cert_file" "/run/secrets/authority/tls.crt" "key_file" "/run/secrets/authority/tls.key") -}}
{{- $_ := set $own "http" (dict "host" "0.0.0.0" "port" 8080 "tls" dict) -}}
{{- $kafka := dict "brokers" .Values.kafka.brokers "topic_prefix" .Values.kafka.topicPrefix "replication" .Values.kafka.replication "min_insync" .Values.kafka.minInsync -}}
{{- if .Values.kafka.tls.ca -}}
{{- $_ := set $kafka "tls" (dict "ca_file" "/etc/fms-collector/kafka-ca.crt") -}}
{{- else if .Values.kafka.tls.enabled -}}
{{- $_ := set $kafka "tls" dict -}}
{{- end -}}
{{- if .Values.kafka.sasl.mechanism -}}
{{- $_ := set $kafka "sasl" (dict "mechanism" .Values.kafka.sasl.mechanism "username" .Values.kafka.sasl.username "password_file" "/run/secrets/kafka/password") -}}
{{- end -}}
{{- $_ := set $own "log" (dict "partitions" .Values.kafka.partitions "kafka" $kafka) -}}
{{- $clickhouse := dict "url" .Values.clickhouse.url "database" .Values.clickhouse.database "username" .Values.clickhouse.username "password_file" "/run/secrets/clickhouse/password" -}}
{{- if .Values.clickhouse.tls.ca -}}
{{- $_ := set $clickhouse "tls" (dict "ca_file" "/etc/fms-collector/clickhouse-ca.crt") -}}
{{- end -}}
{{- $_ := set $own "store" (dict "clickhouse" $clickhouse) -}}
{{- mergeOverwrite (deepCopy .Values.config) $own | toYaml -}}
{{- end -}}

{{/* Every file of the configuration that is no secret: NAME → text. */}}
{{- define "fms.files" -}}
{{- $files := dict "collector.yaml" (include "fms.config" .) -}}
{{- with .Values.kafka.tls.ca -}}{{- $_ := set $files "kafka-ca.crt" . -}}{{- end -}}
{{- with .Values.clickhouse.tls.ca -}}{{- $_ := set $files "clickhouse-ca.crt" . -}}{{- end -}}
{{- toYaml $files -}}
{{- end -}}
