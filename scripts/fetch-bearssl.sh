#!/bin/sh
# Bring BearSSL's source into DIR: Debian's source package, pinned by its SHA-256. Needs no root: apt works on a private
# state directory with a deb-src copy of the machine's own sources.
#   usage: fetch-bearssl.sh DIR
set -eu
name=bearssl_0.6+dfsg.1.orig.tar.xz
sum=102a625bd8f6155260867a50c508df8d8c3f796985dd744df1a68e5cd1a79004
dir=${1:?usage: fetch-bearssl.sh DIR}
[ -f "$dir/inc/bearssl.h" ] && exit 0
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/fota

check() { [ -f "$cache/$name" ] && echo "$sum  $cache/$name" | sha256sum --check --status; }

if ! check; then
    mkdir -p "$cache"
    apt=$(mktemp -d)
    trap 'rm -rf "$apt"' EXIT
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/parts" "$apt/download"
    # one-line and deb822 sources alike, turned into deb-src
    for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -f "$f" ] && sed -n 's/^deb /deb-src /p' "$f" >> "$apt/sources.list"
    done
    for f in /etc/apt/sources.list.d/*.sources; do
        [ -f "$f" ] && sed 's/^Types:.*/Types: deb-src/' "$f" > "$apt/parts/$(basename "$f")"
    done
    touch "$apt/sources.list"
    set -- -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts="$apt/parts" \
        -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" -o APT::Sandbox::User="$(id -un)" -qq
    apt-get "$@" update
    (cd "$apt/download" && apt-get "$@" source --download-only --tar-only bearssl)
    mv "$apt/download/$name" "$cache/$name"
    check || { echo "fetch-bearssl: $name does not have the SHA-256 $sum" >&2; exit 1; }
fi
rm -rf "$dir.part"
mkdir -p "$dir.part"
tar -xJf "$cache/$name" -C "$dir.part" --strip-components=1
rm -rf "$dir"
mv "$dir.part" "$dir"
