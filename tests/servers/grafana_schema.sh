# A checker of dashboards by Grafana's own schema, built from the Go module of its foundation SDK; a program.
# shellcheck shell=bash disable=SC2154,SC1091

grafana_schema_install() {
  . tests/servers/go.bash
  into_cache grafana_schema-0.0.22 go_build grafana_schema
  test -x "$cache/grafana_schema-0.0.22/grafana_schema"
}

grafana_schema_start() {
  export FLOWGAUGE_TEST_GRAFANA_SCHEMA=$cache/grafana_schema-0.0.22/grafana_schema
}
