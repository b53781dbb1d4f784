# The classes of OpenLineage's official client for Python, 1.54.0; a folder for PYTHONPATH.
# shellcheck shell=bash disable=SC2154

openlineage_client_install() {
  into_cache openlineage_client-1.54.0 openlineage_client_unpack
}

openlineage_client_unpack() {
  python3 -m pip --version || apt_install python3-pip
  python3 -m pip install --quiet --no-cache-dir --no-compile --target "$1" openlineage-python==1.54.0
}

openlineage_client_start() {
  export FLOWGAUGE_TEST_OPENLINEAGE_CLIENT=$cache/openlineage_client-1.54.0
}
