# Elasticsearch 7.10, the last one under an open licence, without points in time: they are no part of that.
# shellcheck shell=bash

# shellcheck source=tests/servers/elastic.bash
. tests/servers/elastic.bash

elasticsearch710_install() {
  elastic_install elasticsearch-7.10.2 17.0.9.2
}

elasticsearch710_start() {
  local port
  elastic_start elasticsearch710 elasticsearch-7.10.2 17.0.9.2
  export FLOWGAUGE_TEST_ELASTICSEARCH710=127.0.0.1:$port
}

elasticsearch710_ready() {
  elastic_ready elasticsearch710 "$FLOWGAUGE_TEST_ELASTICSEARCH710"
}
