# A Galera cluster of one node: the MariaDB of mariadb.sh with the replication that gives every
# transaction the checks and limits of a cluster.
# shellcheck shell=bash disable=SC2154

# shellcheck source=tests/servers/mariadb.sh
. tests/servers/mariadb.sh

galera_install() {
  mariadb_install
  into_cache galera galera_unpack
}

galera_unpack() {
  apt_unpack "$1" galera-4
}

galera_start() {
  local port replication
  port=$(free_port)
  replication=$(free_port)
  launch galera tests/servers/private-mysql mariadb "$run/galera" "$port" \
    --wsrep-on=ON --wsrep-new-cluster --wsrep-cluster-address=gcomm:// \
    --wsrep-provider="$cache/galera/usr/lib/galera/libgalera_smm.so" \
    --wsrep-provider-options="base_host=127.0.0.1;base_port=$replication;gmcast.listen_addr=tcp://127.0.0.1:$replication;gcache.size=16M" \
    --wsrep-node-address=127.0.0.1 --binlog-format=ROW --innodb-autoinc-lock-mode=2
  export FLOWGAUGE_TEST_GALERA=127.0.0.1:$port
}

galera_ready() {
  wait_until galera 60 mysql_answers "${FLOWGAUGE_TEST_GALERA#*:}"
}
