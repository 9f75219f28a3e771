#!/usr/bin/env bash
# Makes sure that the real programs a test profile needs are here: with-tools.sh test|slow|bench.
# Says nothing and takes a few milliseconds when they are. Missing ones are installed from Debian when we are
# root; otherwise one line says what to install. It never leaves a service of those packages running.
set -euo pipefail
cd "$(dirname "$0")/.."

# command=package
TEST=(openssl=openssl curl=curl nginx=nginx-light promtool=prometheus kubectl=kubernetes-client ip=iproute2 setpriv=util-linux nghttp=nghttp2-client nghttpx=nghttp2-proxy)
MORE=(haproxy=haproxy wrk=wrk h2load=nghttp2-client)

case "${1:-}" in
  test) needed=("${TEST[@]}") ;;
  slow | bench) needed=("${TEST[@]}" "${MORE[@]}") ;;
  *)
    echo "usage: scripts/with-tools.sh test|slow|bench" >&2
    exit 2
    ;;
esac

# Debian keeps servers in sbin, which a plain user's PATH may lack.
PATH="$PWD/node_modules/.bin:$PATH:/usr/sbin:/sbin"

packages=()
node_version=$(node --version 2>&1) || true
IFS=. read -r major minor _ <<<"${node_version#v}"
if [[ "$node_version" == *libatomic* ]]; then
  packages+=(libatomic1) # Node 26 links to it, and a minimal Debian lacks it
elif ! [[ "$major" =~ ^[0-9]+$ ]] || ((major < 26 || (major == 26 && minor < 9))); then
  echo "with-tools: needs Node 26.9 or later, found ${node_version##*: }. Run \`npm ci\`: it brings Node 26.10 on Linux x64 and arm64; elsewhere install it." >&2
  exit 1
fi

for pair in "${needed[@]}"; do
  command -v "${pair%%=*}" >/dev/null || packages+=("${pair#*=}")
done
# nginx carries bytes by a module of its own on Debian; elsewhere it is built in.
if [ "$1" != test ] && [ -e /etc/debian_version ] && [ ! -e /usr/lib/nginx/modules/ngx_stream_module.so ]; then
  packages+=(libnginx-mod-stream)
fi
[ ${#packages[@]} -gt 0 ] || exit 0

install="apt-get install -y --no-install-recommends ${packages[*]}"
if ! command -v apt-get >/dev/null; then
  echo "with-tools: please install the programs of these Debian packages: ${packages[*]}" >&2
  exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "with-tools: please run: sudo apt-get update && sudo $install" >&2
  exit 1
fi

# Debian starts a server when its package is installed, unless policy-rc.d says no. We only want the program.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

echo "with-tools: installing ${packages[*]} (once) ..." >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
quietly() { "$@" >>"$log" 2>&1 </dev/null || { tail -n 20 "$log" >&2; echo "with-tools: failed: $* (whole log: $log)" >&2; exit 1; }; }
quietly apt-get -o DPkg::Lock::Timeout=300 update
# shellcheck disable=SC2086 # words wanted
quietly apt-get -o DPkg::Lock::Timeout=300 ${install#apt-get }
rm -f "$log"

# Under systemd the packages also enable their service for the next start: only those that we brought.
if [ -d /run/systemd/system ]; then
  for service in nginx prometheus haproxy nghttpx; do
    [[ " ${packages[*]} " == *" $service"* ]] && systemctl disable --quiet "$service" 2>/dev/null || true
  done
fi
echo "with-tools: done" >&2
