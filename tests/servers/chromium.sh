# Chromium of the system's package with its driver, and axe-core, which looks at pages for what keeps people
# out. Each test starts a driver of its own.
# shellcheck shell=bash disable=SC2154

chromium_install() {
  # It finds the browser that it came with.
  command -v chromedriver || apt_install chromium chromium-driver
  into_cache axe-core chromium_axe
}

chromium_axe() {
  command -v npm || apt_install npm
  (cd "$1" && npm install --silent --no-save --no-audit --no-fund axe-core@4.14.1)
}

chromium_start() {
  FLOWGAUGE_TEST_CHROMIUM=$(command -v chromedriver)
  export FLOWGAUGE_TEST_CHROMIUM
  export FLOWGAUGE_TEST_AXE=$cache/axe-core/node_modules/axe-core/axe.min.js
}
