# Jaeger 1.76, its receiver, memory store and query API, built from its Go module; a program: each test starts
# one of its own.
# shellcheck shell=bash disable=SC2154,SC1091

jaeger_install() {
  . tests/servers/go.bash
  into_cache jaeger-1.76.0 go_build jaeger
  test -x "$cache/jaeger-1.76.0/jaeger"
}

jaeger_start() {
  export FLOWGAUGE_TEST_JAEGER=$cache/jaeger-1.76.0/jaeger
}
