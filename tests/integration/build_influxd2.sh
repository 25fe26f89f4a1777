#!/usr/bin/env bash
# Builds InfluxDB 2 from its Go module, without its user interface; the argument is where to.
# Needs go, cargo (1.26 and 1.95 do), gcc and pkg-config, and some minutes.
set -euo pipefail
version=v2.7.12
target=$1

mkdir -p "$(dirname "$target")"
work=$(mktemp -d "$(dirname "$target")/build.XXXXXX")
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
export GOCACHE="$work/go-cache" GOFLAGS="-buildvcs=false"

cd "$work"
module=$(go mod download -json "github.com/influxdata/influxdb/v2@$version" |
    sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
cp -R "$module" source  # the module cache is read-only
chmod -R u+w source
cd source

# Flux is half Rust, built on the way by a pkg-config of its own. It asks for the Rust of 2023, and
# takes what later ones warn of for errors.
go build -o "$work/pkg-config" github.com/influxdata/pkg-config
printf '#!/bin/sh\nexec "$@" --cap-lints allow\n' >"$work/rustc-wrapper"
chmod +x "$work/rustc-wrapper"
export PKG_CONFIG="$work/pkg-config" RUSTC_WRAPPER="$work/rustc-wrapper"
export RUSTUP_TOOLCHAIN="${RUSTUP_TOOLCHAIN:-stable}"

go build -tags sqlite_foreign_keys,sqlite_json -ldflags "-s -w -X main.version=$version" \
    -o "$work/influxd" ./cmd/influxd
mv "$work/influxd" "$target"
