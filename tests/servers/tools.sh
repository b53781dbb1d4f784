# What the files of the servers are made of. Sourced by tests/run, which sets `run`, a temporary
# folder, and `cache`, a folder that stays.
# shellcheck shell=bash

: "${run:?}" "${cache:?}"
declare -A launched=() # The process of each name.

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    # Never asks: it would wait for an answer nobody can give, as steps do not own the terminal.
    sudo -n "$@"
  else
    echo "needs root or sudo: $*"
    return 1
  fi
}

# Once a run. Whoever may not do it works with the lists the machine has.
apt_lists() {
  if [ ! -e "$run/apt-lists" ]; then
    as_root apt-get update -qq || echo "going on with the package lists that are here"
    touch "$run/apt-lists"
  fi
}

# Installs packages into the system. For compilers and interpreters; servers are better unpacked,
# as their packages add users and start services.
apt_install() {
  apt_lists
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# apt_unpack FOLDER PACKAGE...: the files of packages below FOLDER, nothing installed or started.
apt_unpack() {
  local folder=$1 downloads package
  shift
  apt_lists
  downloads=$(mktemp -d "$run/apt.XXXXXX")
  (cd "$downloads" && apt-get download -qq "$@")
  for package in "$downloads"/*.deb; do
    dpkg -x "$package" "$folder"
  done
  rm -rf "$downloads"
}

# The same with everything the packages depend on that this system lacks.
apt_unpack_whole() {
  local folder=$1 needed
  shift
  apt_lists
  needed=$(apt-get install --simulate --no-install-recommends "$@" | sed -n 's/^Inst \([^ ]*\) .*/\1/p')
  # Also those that are installed already: they would be missing in the folder.
  # shellcheck disable=SC2086
  needed=$(printf '%s\n' "$@" $needed | sort -u)
  # shellcheck disable=SC2086
  apt_unpack "$folder" $needed
}

# maven_unpack FOLDER COORDINATES: what is in an archive of Maven's central repository.
maven_unpack() {
  command -v mvn || apt_install maven
  # In $run, because Maven leaves marks where it is called; and what it keeps would be there twice.
  (
    cd "$run" || exit
    mvn --quiet --batch-mode -Dmaven.repo.local="$run/maven" \
      org.apache.maven.plugins:maven-dependency-plugin:3.6.1:unpack -Dartifact="$2" -DoutputDirectory="$1"
  )
}

# pip_unpack FOLDER PACKAGE: one package of PyPI, without what it depends on.
pip_unpack() {
  command -v pip3 || apt_install python3-pip
  pip3 install --quiet --no-cache-dir --no-compile --no-deps --target "$1" "$2"
}

# into_cache NAME COMMAND...: runs COMMAND... FOLDER unless the cache has NAME, and keeps what it put
# into FOLDER as $cache/NAME. The name appears when all is there, so an interrupted download is
# never taken for a whole one.
into_cache() {
  local name=$1 making
  shift
  if [ -d "$cache/$name" ]; then
    return
  fi
  making=$(mktemp -d "$cache/.making.$$.XXXXXX")
  chmod 755 "$making"
  "$@" "$making"
  # Another run may have been faster, which is as good.
  mv -T "$making" "$cache/$name" || [ -d "$cache/$name" ]
}

# A port nobody listens on, below those the system hands out to outgoing connections. The folder is
# taken by one: a server may listen only seconds after it got its port.
free_port() {
  local port
  while port=$((RANDOM % 10000 + 20000)); do
    if ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null && mkdir "$run/port-$port" 2>/dev/null; then
      echo "$port"
      return
    fi
  done
}

# unprivileged COMMAND...: for servers that refuse to run as root. Root becomes `nobody` and keeps
# one right, to read and write any file, as the cache is perhaps below a home that is closed to others.
unprivileged() {
  "${drop_privileges[@]}" "$@"
}

drop_privileges=()
if [ "$(id -u)" = 0 ]; then
  drop_privileges=(setpriv --reuid=65534 --regid=65534 --clear-groups
    --securebits=+no_setuid_fixup --inh-caps=+dac_override --ambient-caps=+dac_override)
fi

# launch NAME COMMAND...: starts a server in the background, with its output in $run/NAME.log. It is
# ended with the run. One NAME is one process.
launch() {
  local name=$1
  shift
  "$@" >"$run/$name.log" 2>&1 </dev/null &
  launched[$name]=$!
}

# wait_until NAME SECONDS COMMAND...: until COMMAND succeeds. Fails, and shows the log, when the time
# is over or what was launched under the NAME has ended.
wait_until() {
  local name=$1 tries=$(($2 * 5))
  shift 2
  while ((tries-- > 0)); do
    if "$@" >/dev/null 2>&1; then
      return
    fi
    kill -0 "${launched[$name]}" 2>/dev/null || break
    sleep 0.2
  done
  printf '\n%s did not start\n' "$name"
  tail -n 50 "$run/$name.log"
  return 1
}

# http_answers PORT PATH: with 200 to a GET, on this machine.
http_answers() {
  local status=
  {
    printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$2" >&3
    read -r -t 10 status <&3
  } 3<>"/dev/tcp/127.0.0.1/$1" || return
  [[ $status == "HTTP/1.1 200 "* ]]
}

# mysql_answers PORT: the server greets, and not only the port is open, as it is long before.
mysql_answers() {
  read -r -t 10 -N 1 <"/dev/tcp/127.0.0.1/$1"
}

# Ends a process and all its children: asks, waits for a while, and then insists.
end_group() {
  local tries=50
  kill -TERM -- "-$1" 2>/dev/null || return 0
  while ((tries-- > 0)) && kill -0 -- "-$1" 2>/dev/null; do
    sleep 0.1
  done
  kill -KILL -- "-$1" 2>/dev/null || true
}

end_launched() {
  local group
  for group in "${launched[@]}"; do
    kill -TERM -- "-$group" 2>/dev/null || true # All at once, so that none waits for another.
  done
  for group in "${launched[@]}"; do
    end_group "$group"
  done
}
