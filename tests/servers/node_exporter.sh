# node_exporter of the system's package, a program: each test starts one of its own.
# shellcheck shell=bash disable=SC2154

node_exporter_install() {
  into_cache node_exporter node_exporter_unpack
  "$cache/node_exporter/usr/bin/prometheus-node-exporter" --version
}

node_exporter_unpack() {
  apt_unpack "$1" prometheus-node-exporter
}

node_exporter_start() {
  export FLOWGAUGE_TEST_NODE_EXPORTER=$cache/node_exporter/usr/bin/prometheus-node-exporter
}
