# VictoriaMetrics of the system's package, a program: each test starts one of its own.
# shellcheck shell=bash disable=SC2154

victoria_metrics_install() {
  into_cache victoria_metrics victoria_metrics_unpack
  test -x "$cache/victoria_metrics/usr/bin/victoria-metrics"
}

victoria_metrics_unpack() {
  apt_unpack "$1" victoria-metrics
}

victoria_metrics_start() {
  export FLOWGAUGE_TEST_VICTORIA_METRICS=$cache/victoria_metrics/usr/bin/victoria-metrics
}
