# The reference classes of OTLP, as opentelemetry-proto 1.45.2 of PyPI has them, and a program that decodes by
# them.
# shellcheck shell=bash disable=SC2154

opentelemetry_proto_install() {
  into_cache opentelemetry_proto-1.45.2 opentelemetry_proto_unpack
  python3 --version
}

opentelemetry_proto_unpack() {
  pip_unpack "$1" opentelemetry-proto==1.45.2
  pip_unpack "$1" protobuf==7.34.2
}

opentelemetry_proto_start() {
  export FLOWGAUGE_TEST_OPENTELEMETRY_PROTO=$PWD/tests/servers/opentelemetry_proto/decode.py
  export FLOWGAUGE_TEST_OPENTELEMETRY_PROTO_CLASSES=$cache/opentelemetry_proto-1.45.2
}
