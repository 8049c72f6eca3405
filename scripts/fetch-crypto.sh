#!/bin/sh
# Bring the crypto sources for the target into DIR/bearssl and DIR/p256-m: Debian's source packages, pinned by SHA-256. Needs no root:
# apt works on a private state directory with a deb-src copy of the machine's own sources.
#   usage: fetch-crypto.sh DIR
# BearSSL 0.6 is the same file in Debian 12 and 13. p256-m is part of Mbed TLS 3.6, which Debian has since 13; its point releases come and go,
# so the two files that are used are pinned, not the archive.
set -eu
dir=${1:?usage: fetch-crypto.sh DIR}
bearssl=bearssl_0.6+dfsg.1.orig.tar.xz
bearssl_sum=102a625bd8f6155260867a50c508df8d8c3f796985dd744df1a68e5cd1a79004
p256m_sums="f546b6e993e268dd2fa464c68b740f708498d480c1f74aa1bbda518d1f7bb770  p256-m.c
ae61836d9e8083177e25168df7e35f77a65c5e3443ca0980053863ca07e334d0  p256-m.h"
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/fota
work=

bearssl_there() { echo "$bearssl_sum  $1" | sha256sum --check --status 2> /dev/null; }
p256m_there() { (cd "$1" 2> /dev/null && echo "$p256m_sums" | sha256sum --check --status 2> /dev/null); }

# download SUITE PACKAGE: the original source of a package; '' means the machine's own release
download() {
    apt=$work/apt$1
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/parts"
    touch "$apt/sources.list"
    for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        if [ -f "$f" ]; then
            sed -n 's/^deb /deb-src /p' "$f" | debian_only "$1" >> "$apt/sources.list"
        fi
    done
    for f in /etc/apt/sources.list.d/*.sources; do
        if [ -f "$f" ] && grep -q debian-archive "$f"; then
            sed "s/^Types:.*/Types: deb-src/; ${1:+s/^Suites:.*/Suites: $1/}" "$f" > "$apt/parts/$(basename "$f")"
            # another suite is wanted from the main archive alone
            [ -z "$1" ] || awk -v RS= -v ORS='\n\n' '!/security/' "$apt/parts/$(basename "$f")" > "$apt/x" &&
                { [ -z "$1" ] || mv "$apt/x" "$apt/parts/$(basename "$f")"; }
        fi
    done
    set -- "$2" -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts="$apt/parts" \
        -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" -o APT::Sandbox::User="$(id -un)" -qq
    package=$1
    shift
    apt-get "$@" update
    (cd "$work" && apt-get "$@" source --download-only --tar-only "$package")
}

# one-line sources: keep Debian's; with a suite, only the main archive's line, turned to that suite
debian_only() {
    if [ -z "$1" ]; then
        grep debian || true
    else
        { grep debian || true; } | grep -v security | awk -v s="$1" '{ for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) { $(i+1) = s; break } print }' | sort -u
    fi
}

if ! bearssl_there "$cache/$bearssl" || ! p256m_there "$cache"; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    mkdir -p "$cache"
    if ! bearssl_there "$cache/$bearssl"; then
        download "" bearssl
        mv "$work/$bearssl" "$cache/$bearssl"
    fi
    if ! p256m_there "$cache"; then
        download trixie mbedtls
        tar -xf "$work"/mbedtls_3.6*.orig.tar.bz2 -C "$work" --wildcards --strip-components=4 '*/3rdparty/p256-m/p256-m/p256-m.[ch]'
        mv "$work/p256-m.c" "$work/p256-m.h" "$cache/"
    fi
    bearssl_there "$cache/$bearssl" || { echo "fetch-crypto: $bearssl has another SHA-256 than $bearssl_sum" >&2; exit 1; }
    p256m_there "$cache" || { echo "fetch-crypto: p256-m has other SHA-256 sums than are pinned here" >&2; exit 1; }
fi

mkdir -p "$dir/p256-m"
p256m_there "$dir/p256-m" || cp "$cache/p256-m.c" "$cache/p256-m.h" "$dir/p256-m/"
if [ ! -f "$dir/bearssl/inc/bearssl.h" ]; then
    rm -rf "$dir/bearssl.part"
    mkdir -p "$dir/bearssl.part"
    tar -xJf "$cache/$bearssl" -C "$dir/bearssl.part" --strip-components=1
    mv "$dir/bearssl.part" "$dir/bearssl"
fi
