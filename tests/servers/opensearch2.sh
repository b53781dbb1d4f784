# OpenSearch 2, where `_shard_doc` is no field to sort by.
# shellcheck shell=bash

# shellcheck source=tests/servers/elastic.bash
. tests/servers/elastic.bash

opensearch2_install() {
  elastic_install opensearch-2.19.6 17.0.9.2
}

opensearch2_start() {
  local port
  elastic_start opensearch2 opensearch-2.19.6 17.0.9.2
  export FLOWGAUGE_TEST_OPENSEARCH2=127.0.0.1:$port
}

opensearch2_ready() {
  elastic_ready opensearch2 "$FLOWGAUGE_TEST_OPENSEARCH2"
}
