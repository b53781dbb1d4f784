# Prometheus and promtool, of the system's package. Each test starts a Prometheus of its own, with its
# own configuration, so there is nothing to start here.
# shellcheck shell=bash disable=SC2154

prometheus_install() {
  # Everything the package depends on besides the C library is for its web pages.
  into_cache prometheus prometheus_unpack
  "$cache/prometheus/usr/bin/promtool" --version
}

prometheus_unpack() {
  apt_unpack "$1" prometheus
}

prometheus_start() {
  export FLOWGAUGE_TEST_PROMETHEUS=$cache/prometheus/usr/bin/prometheus
  export FLOWGAUGE_TEST_PROMTOOL=$cache/prometheus/usr/bin/promtool
}
