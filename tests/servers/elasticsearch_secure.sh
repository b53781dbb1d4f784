# Elasticsearch 9 with TLS, for the name localhost and by an authority of its own, and with users: the
# password of `elastic` is `password`, and so is that of `limited`, who may read indices `open*` and
# nothing else. They are in files, because the index of users and API keys needs a module that is not here.
# shellcheck shell=bash disable=SC2154

# shellcheck source=tests/servers/elastic.bash
. tests/servers/elastic.bash

elasticsearch_secure_install() {
  elastic_install elasticsearch-9.2.0 21.0.8.2
  command -v openssl || apt_install openssl
}

elasticsearch_secure_start() {
  local port config=$run/elasticsearch_secure/config
  elastic_configure elasticsearch_secure elasticsearch-9.2.0 \
    "xpack.security.enabled: true" \
    "xpack.security.authc.reserved_realm.enabled: false" \
    "xpack.security.http.ssl.enabled: true" \
    "xpack.security.http.ssl.certificate: localhost.pem" \
    "xpack.security.http.ssl.key: localhost.key"
  elasticsearch_secure_users "$config"
  elasticsearch_secure_certificates "$config"
  elastic_launch elasticsearch_secure elasticsearch-9.2.0 21.0.8.2
  export FLOWGAUGE_TEST_ELASTICSEARCH_SECURE=https://localhost:$port
  export FLOWGAUGE_TEST_ELASTICSEARCH_SECURE_CA=$config/ca.pem
}

elasticsearch_secure_users() {
  # What bcrypt makes of `password`.
  cat >"$1/users" <<'END'
elastic:$2a$04$nLJ963VqO4ZI7VbRgUhLyOsYIPxUxRIVNwtH6.tM2osppiJ8heV/6
limited:$2a$04$nLJ963VqO4ZI7VbRgUhLyOsYIPxUxRIVNwtH6.tM2osppiJ8heV/6
END
  cat >"$1/users_roles" <<'END'
superuser:elastic
limited:limited
END
  cat >"$1/roles.yml" <<'END'
limited:
  indices:
    - names: ["open*"]
      privileges: [read]
END
}

elasticsearch_secure_certificates() {
  local name
  for name in ca localhost; do
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1/$name.key"
  done
  openssl req -x509 -days 2 -key "$1/ca.key" -subj "/CN=authority of the tests" -out "$1/ca.pem"
  openssl req -x509 -days 2 -key "$1/localhost.key" -CA "$1/ca.pem" -CAkey "$1/ca.key" \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
    -out "$1/localhost.pem"
}

elasticsearch_secure_ready() {
  wait_until elasticsearch_secure 180 elasticsearch_secure_answers
}

elasticsearch_secure_answers() {
  local authorization answer
  authorization=$(printf elastic:password | base64)
  answer=$(
    printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic %s\r\nConnection: close\r\n\r\n' \
      "$elastic_health" "$authorization" |
      openssl s_client -quiet -verify_return_error -verify_hostname localhost \
        -CAfile "$FLOWGAUGE_TEST_ELASTICSEARCH_SECURE_CA" -connect "${FLOWGAUGE_TEST_ELASTICSEARCH_SECURE#https://}"
  )
  [[ $answer == "HTTP/1.1 200 "* ]]
}
