#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From a fresh Debian machine to build/vise: packages, configure, build. Costs little when run again.
set -eu

packages="build-essential cmake ninja-build pkg-config
  lua5.4 liblua5.4-dev libopenblas-dev libzstd-dev libjansson-dev libpcre2-dev libssl-dev
  libsqlite3-dev libseccomp-dev gnuplot-nox libjs-chart.js
  lua-unit lua-check libcmocka-dev libsimde-dev clang-format"

target=${1:-all}
if [ $# -gt 1 ] || { [ "$target" != all ] && [ "$target" != vise ]; }; then
  cat <<END
usage: sh share/setup.sh [vise]

Installs the Debian packages that vise is built and tested with (those missing, with sudo when not
root), then configures and builds the release form in build/: the program alone if \`vise\` is said,
which is half of the work, else the module for lua5.4 and the tests too. The packages:
  $packages
END
  [ "$target" = --help ] || [ "$target" = -h ] || exit 2
  exit 0
fi

cd "$(dirname "$0")/.."

if command -v dpkg-query > /dev/null; then
  missing=
  for package in $packages; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null || true)
    case $state in
      installed*) ;; # once for each architecture it is installed for
      *) missing="$missing $package" ;;
    esac
  done
  if [ -n "$missing" ]; then
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
      if ! command -v sudo > /dev/null; then
        echo "setup: not root and no sudo; as root, run: apt-get install$missing" >&2
        exit 1
      fi
      as_root=sudo
    fi
    echo "setup: installing$missing"
    $as_root apt-get update -q
    # $missing is a list: it is to be split
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
  else
    echo "setup: all packages are there"
  fi
else
  echo "setup: no dpkg here; if the build misses something, install what these are called here:" $packages
fi

if [ ! -f build/build.ninja ] && [ ! -f build/Makefile ]; then
  echo "setup: configuring build/"
  cmake --preset release
fi
echo "setup: building"
cmake --build build --parallel --target "$target"
echo "setup: done; the program is build/vise"
