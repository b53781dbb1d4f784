# OpenTelemetry Collector 0.165, built from its Go modules with what the tests need; a program: each test
# starts one of its own.
# shellcheck shell=bash disable=SC2154,SC1091

otel_collector_install() {
  . tests/servers/go.bash
  into_cache otel_collector-0.165.0 go_build otel_collector
  test -x "$cache/otel_collector-0.165.0/otel_collector"
}

otel_collector_start() {
  export FLOWGAUGE_TEST_OTEL_COLLECTOR=$cache/otel_collector-0.165.0/otel_collector
}
