# OpenSearch 3, with points in time at an address of its own.
# shellcheck shell=bash

# shellcheck source=tests/servers/elastic.bash
. tests/servers/elastic.bash

opensearch_install() {
  elastic_install opensearch-3.4.0 21.0.8.2
}

opensearch_start() {
  local port
  elastic_start opensearch opensearch-3.4.0 21.0.8.2
  export FLOWGAUGE_TEST_OPENSEARCH=127.0.0.1:$port
}

opensearch_ready() {
  elastic_ready opensearch "$FLOWGAUGE_TEST_OPENSEARCH"
}
