# Pushgateway of the system's package, a program: each test starts one of its own.
# shellcheck shell=bash disable=SC2154

pushgateway_install() {
  command -v openssl || apt_install openssl
  into_cache pushgateway pushgateway_unpack
  "$cache/pushgateway/usr/bin/prometheus-pushgateway" --version
}

pushgateway_unpack() {
  apt_unpack "$1" prometheus-pushgateway
}

pushgateway_start() {
  export FLOWGAUGE_TEST_PUSHGATEWAY=$cache/pushgateway/usr/bin/prometheus-pushgateway
}
