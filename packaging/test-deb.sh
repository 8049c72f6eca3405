#!/bin/sh
# SPDX-License-Identifier: MIT
# The packages in a bare Debian 12: installed, configured as docs/operate.md says, an update through hub and gateway into a virtual board.
#   usage: test-deb.sh BUILD     after `make deb`; root
# FOTA_BARE=DIR  a tree made by debootstrap to copy, instead of making one
# FOTA_MIRROR    where packages come from (default: where this machine's come from)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:?usage: test-deb.sh BUILD}" && pwd)
mirror=${FOTA_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1)}
[ "$(id -u)" = 0 ] || { echo "test-deb: needs root (debootstrap, chroot)" >&2; exit 1; }
ls "$build"/deb/fota-hub_*.deb > /dev/null || { echo "test-deb: make deb comes first" >&2; exit 1; }
tree=$(mktemp -d "${TMPDIR:-/tmp}/fota-deb-XXXXXX")
trap 'rm -rf --one-file-system "$tree"' EXIT

if [ -n "${FOTA_BARE:-}" ]; then
    cp -a --one-file-system "$FOTA_BARE/." "$tree"
else
    command -v debootstrap > /dev/null || { echo "test-deb: apt-get install debootstrap" >&2; exit 1; }
    echo "a bare Debian 12 …"
    debootstrap --variant=minbase bookworm "$tree" "$mirror" > "$tree.log" 2>&1 || { tail -20 "$tree.log" >&2; exit 1; }
    rm -f "$tree.log"
fi
# The same mirror, proxy and certificates as this machine; services are not started by packages.
[ ! -f /etc/apt/sources.list.d/debian.sources ] || cp /etc/apt/sources.list.d/debian.sources "$tree/etc/apt/sources.list.d/"
cp -rL /etc/apt/apt.conf.d/. "$tree/etc/apt/apt.conf.d/"
rm -f "$tree/etc/apt/apt.conf.d/20listchanges" "$tree/etc/apt/apt.conf.d/docker-clean"
cp -L /etc/resolv.conf "$tree/etc/resolv.conf"
[ -s "$tree/etc/hosts" ] || echo "127.0.0.1 localhost" > "$tree/etc/hosts"
[ ! -d /etc/ssl/certs ] || { mkdir -p "$tree/etc/ssl/certs" && cp -rL /etc/ssl/certs/. "$tree/etc/ssl/certs/"; }
chmod 0755 "$tree" # mktemp made it for root alone
printf '#!/bin/sh\nexit 101\n' > "$tree/usr/sbin/policy-rc.d"
chmod 0755 "$tree/usr/sbin/policy-rc.d"
mkdir -p "$tree/root/deb"
cp "$build"/deb/*.deb "$tree/root/deb/"
for v in 1.0.0 1.1.0; do cp "$build/target/hello-$v.a.elf" "$build/target/hello-$v.b.elf" "$tree/root/"; done

# Mounts and processes end with this namespace; the second one has no network but its own loopback.
export DEBIAN_FRONTEND=noninteractive
echo "installing …"
unshare --mount --pid --fork --kill-child sh -eu -c '
    mount -t proc proc "$0/proc"
    chroot "$0" sh -eu -c "
        apt-get update -q
        apt-get install -y -q --no-install-recommends mosquitto openssl /root/deb/fota*.deb" > "$0/root/install.log" 2>&1 ||
        { tail -40 "$0/root/install.log" >&2; exit 1; }' "$tree"
if command -v systemd-analyze > /dev/null && [ -d /usr/lib/systemd/system ]; then
    echo "the units …" # against this machine's own units; the tree has no systemd
    units=$tree/root/units
    mkdir -p "$units/usr/lib/systemd" "$units/usr/bin"
    cp -a /usr/lib/systemd/system "$units/usr/lib/systemd/"
    cp "$tree"/lib/systemd/system/fota-*.service "$units/usr/lib/systemd/system/"
    cp "$tree"/usr/bin/fota-* "$units/usr/bin/"
    for unit in hub gateway console; do
        said=$(systemd-analyze verify --man=no --root="$units" "fota-$unit.service" 2>&1) && [ -z "$said" ] ||
            { printf 'fota-%s.service: %s\n' "$unit" "$said" >&2; exit 1; }
    done
    rm -rf "$units"
fi
unshare --mount --net --pid --fork --kill-child --mount-proc sh -eu -c '
    mount -t proc proc "$0/proc"
    mount --rbind /dev "$0/dev"
    exec python3 -B "$1/tests/installed.py" "$0"' "$tree" "$here"
