# Elasticsearch 7, the last series with `GET /` and types in this distribution.
# shellcheck shell=bash

# shellcheck source=tests/servers/elastic.bash
. tests/servers/elastic.bash

elasticsearch7_install() {
  elastic_install elasticsearch-7.17.9 17.0.9.2
}

elasticsearch7_start() {
  local port
  elastic_start elasticsearch7 elasticsearch-7.17.9 17.0.9.2 "xpack.security.enabled: false"
  export FLOWGAUGE_TEST_ELASTICSEARCH7=127.0.0.1:$port
}

elasticsearch7_ready() {
  elastic_ready elasticsearch7 "$FLOWGAUGE_TEST_ELASTICSEARCH7"
}
