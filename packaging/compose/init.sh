#!/bin/sh
# Makes what compose.yaml needs and nobody else may have: ./init.sh NAME|ADDRESS…
#
# The names and addresses are those by which gateways and people reach this machine; certificates are made for them.
# What is there already stays as it is, so that it may run again: it then only renews Grafana's certificate when that
# ends within 30 days. A plant with an issuing authority of its own puts ca.crt and ca.key into secrets/ first.
set -eu
umask 077
cd "$(dirname "$0")"

if [ $# -eq 0 ]; then
  echo "usage: $0 NAME|ADDRESS..., such as: $0 collector.plant.example 192.0.2.10" >&2
  exit 2
fi
command -v openssl >/dev/null || { echo "$0: openssl is missing" >&2; exit 1; }

names=''
alternatives=''
for name in "$@"; do
  case $name in
    -*|*[!0-9A-Za-z.:-]*|'') echo "$0: $name is neither a host name nor an address" >&2; exit 2 ;;
    *:*) kind=IP ;;
    *[!0-9.]*) kind=DNS ;;
    *) kind=IP ;;
  esac
  names="$names\"$name\", "
  alternatives="$alternatives,$kind:$name"
done
alternatives=${alternatives#,}

# Containers run as users of their own and must read their files, whatever these are here. The folder keeps others out.
mkdir -p secrets config
chmod 0700 secrets
chmod 0755 config

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# keep NAME: standard input becomes secrets/NAME unless it is there. Whole or not at all.
keep() {
  if [ -e "secrets/$1" ]; then
    cat >/dev/null
    return
  fi
  cat >"$work/$1"
  chmod 0444 "$work/$1"
  mv "$work/$1" "secrets/$1"
  echo "made secrets/$1"
}

random() { openssl rand -hex 24 | tr -d '\n'; }
hash_of() { openssl dgst -sha256 -r "secrets/$1" | cut -d ' ' -f 1; }

for secret in kafka_password clickhouse_password grafana_clickhouse_password grafana_admin_password; do
  random | keep "$secret"
done

# 16 bytes as Kafka writes them.
openssl rand -base64 16 | tr '+/' '-_' | tr -d '=\n' | sed 's/^-/A/' | keep kafka_cluster_id
keep kafka_jaas.conf <<JAAS
KafkaServer {
  org.apache.kafka.common.security.plain.PlainLoginModule required
  user_fms="$(cat secrets/kafka_password)";
};
JAAS
# ClickHouse gets hashes only.
keep clickhouse_users.xml <<XML
<clickhouse>
  <users>
    <fms><password_sha256_hex>$(hash_of clickhouse_password)</password_sha256_hex></fms>
    <grafana><password_sha256_hex>$(hash_of grafana_clickhouse_password)</password_sha256_hex></grafana>
  </users>
</clickhouse>
XML

if [ ! -e secrets/ca.key ] && [ ! -e secrets/ca.crt ]; then
  cat >"$work/ca.cnf" <<CNF
[req]
distinguished_name = name
prompt = no
x509_extensions = authority
[name]
O = FMS
CN = FMS authority of $1
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
CNF
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/key" 2>/dev/null
  openssl req -x509 -new -sha256 -days 7300 -config "$work/ca.cnf" -key "$work/key" -out "$work/crt"
  keep ca.key <"$work/key"
  keep ca.crt <"$work/crt"
fi
for file in ca.key ca.crt; do
  [ -e "secrets/$file" ] || { echo "$0: secrets/$file is missing beside the other one" >&2; exit 1; }
done

# Less than 30 days left, or none yet.
if ! openssl x509 -in secrets/grafana.crt -noout -checkend 2592000 >/dev/null 2>&1; then
  cat >"$work/server.cnf" <<CNF
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = $alternatives
CNF
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/key" 2>/dev/null
  openssl req -new -sha256 -subj "/O=FMS/CN=grafana" -key "$work/key" -out "$work/csr"
  openssl x509 -req -sha256 -days 365 -in "$work/csr" -CA secrets/ca.crt -CAkey secrets/ca.key \
    -set_serial "0x$(openssl rand -hex 16 | sed 's/^./1/')" -extfile "$work/server.cnf" -out "$work/crt" 2>/dev/null
  rm -f secrets/grafana.key secrets/grafana.crt
  keep grafana.key <"$work/key"
  cat "$work/crt" secrets/ca.crt | keep grafana.crt
fi

if [ ! -e config/collector.yaml ]; then
  sed "s/\"@NAMES@\"/${names%, }/" templates/collector.yaml >"$work/collector.yaml"
  chmod 0644 "$work/collector.yaml"
  mv "$work/collector.yaml" config/collector.yaml
  echo "made config/collector.yaml: write the plant's sites into it"
fi
echo "Grafana's first login: admin, with what is in secrets/grafana_admin_password"
echo "The authority, for browsers to trust: secrets/ca.crt, SHA-256 $(openssl x509 -in secrets/ca.crt -noout -fingerprint -sha256 | cut -d = -f 2)"
