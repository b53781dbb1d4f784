# Elasticsearch 9. `GET /` is answered with 405: the module is not in this distribution.
# shellcheck shell=bash

# shellcheck source=tests/servers/elastic.bash
. tests/servers/elastic.bash

elasticsearch_install() {
  elastic_install elasticsearch-9.2.0 21.0.8.2
}

elasticsearch_start() {
  local port
  elastic_start elasticsearch elasticsearch-9.2.0 21.0.8.2 "xpack.security.enabled: false"
  export FLOWGAUGE_TEST_ELASTICSEARCH=127.0.0.1:$port
}

elasticsearch_ready() {
  elastic_ready elasticsearch "$FLOWGAUGE_TEST_ELASTICSEARCH"
}
