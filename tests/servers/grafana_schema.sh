# A checker of dashboards, alert rules and requests by Grafana's own schemas, built from the Go modules of its
# foundation SDK and of its API client; a program.
# shellcheck shell=bash disable=SC2154,SC1091

grafana_schema_install() {
  . tests/servers/go.bash
  into_cache grafana_schema-0.0.22-api-1 go_build grafana_schema
  test -x "$cache/grafana_schema-0.0.22-api-1/grafana_schema"
}

grafana_schema_start() {
  export FLOWGAUGE_TEST_GRAFANA_SCHEMA=$cache/grafana_schema-0.0.22-api-1/grafana_schema
}
