# tmux, a terminal that can be looked at: each test starts one of its own.
# shellcheck shell=bash

tmux_install() {
  command -v tmux || apt_install tmux
}

tmux_start() {
  FLOWGAUGE_TEST_TMUX=$(command -v tmux)
  export FLOWGAUGE_TEST_TMUX
}
