# A C compiler, for what has to stand before the C library of a process.
# shellcheck shell=bash

cc_install() {
  command -v cc || apt_install gcc libc6-dev
}

cc_start() {
  FLOWGAUGE_TEST_CC=$(command -v cc)
  export FLOWGAUGE_TEST_CC
}
