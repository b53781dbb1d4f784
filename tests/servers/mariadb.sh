# MariaDB of the system's packages: one server for all tests, and servers of their own by private-mysql.
# shellcheck shell=bash disable=SC2154

mariadb_install() {
  local sql
  # Tests make certificates with it.
  command -v openssl || apt_install openssl
  into_cache mariadb mariadb_unpack
  sql=("$cache"/mariadb/usr/share/m*/fill_help_tables.sql)
  into_cache mariadb-data mariadb_data mariadb "${sql[0]}"
}

mariadb_unpack() {
  apt_unpack_whole "$1" mariadb-server-core
}

# mariadb_data KIND SQL FOLDER: what mariadb-install-db does, which needs the client's packages for it. SQL
# is a file beside those that make the system tables. The folder and the files are called mysql or mariadb.
mariadb_data() {
  mkdir "$3/data"
  {
    printf '%s\n' 'create database mysql;' 'use mysql;' 'set @auth_root_socket = null;'
    cat "${2%/*}"/m*_{system_tables,performance_tables,system_tables_data,add_gis_sp_bootstrap,sys_schema}.sql
    echo 'flush privileges;'
    echo "alter user root@localhost identified by 'password', root@'127.0.0.1' identified by 'password';"
  } | tests/servers/private-mysql "$1" "$3" 0 --bootstrap --innodb-log-file-size=8M
}

mariadb_start() {
  local port
  port=$(free_port)
  launch mariadb tests/servers/private-mysql mariadb "$run/mariadb" "$port"
  export FLOWGAUGE_TEST_MARIADB=127.0.0.1:$port
  export FLOWGAUGE_TEST_MARIADB_SOCKET=$run/mariadb/sock
  export FLOWGAUGE_TEST_PRIVATE_MYSQL=$PWD/tests/servers/private-mysql
}

mariadb_ready() {
  wait_until mariadb 60 mysql_answers "${FLOWGAUGE_TEST_MARIADB#*:}"
}
