#!/bin/bash
# Proves both commands where nothing is installed: a fresh Debian 12 with git, make, python3 and its
# venv module. As root, with debootstrap installed:
#
#     tests/house/clean_room.sh             make run as root and as a plain user, then make test
#     tests/house/clean_room.sh run         make run only
#     tests/house/clean_room.sh test        make test only
#
# ROOM=/var/tmp/room keeps the room and begins in it the next time; otherwise it is removed.
# It clones HEAD, so commit first. The room is a chroot with process ids of its own: what a command
# leaves behind is seen, and dies with the room. How to reach the packages (PIP_*, proxies,
# certificates, pip.conf, apt's own settings) is taken over from the caller.
set -euo pipefail

what=${1:-all}
release=bookworm
clone=$(cd "$(dirname "$0")/../.." && pwd)
[ "$(id -u)" = 0 ] || { echo "clean_room.sh: only root may chroot: sudo $0" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "clean_room.sh: apt-get install debootstrap" >&2; exit 1; }

if [ "${IN_OWN_NAMESPACE:-}" != yes ]; then
    IN_OWN_NAMESPACE=yes exec unshare --mount --pid --fork --mount-proc --kill-child "$0" "$@"
fi

room=${ROOM:-$(mktemp -d /var/tmp/mailape-clean-room-XXXXXX)}
leave() {
    umount "$room/proc" "$room/dev/shm" 2>/dev/null || true
    [ -n "${ROOM:-}" ] || rm -rf --one-file-system "$room"
}
trap leave EXIT

say() { printf '\n════ %s\n' "$*"; }

furnish() {
    if [ ! -e "$room/etc/debian_version" ]; then
        say "A fresh Debian ($release)"
        debootstrap --variant=minbase --include=git,make,python3,python3-venv,ca-certificates \
            "$release" "$room" ${MIRROR:-} >"$room.log" 2>&1 || { tail "$room.log"; exit 1; }
        rm -f "$room.log"
    fi
    mount -t proc proc "$room/proc"
    mount -t tmpfs -o mode=1777 shm "$room/dev/shm"
    cp /etc/resolv.conf /etc/hosts "$room/etc/"
    cp /etc/ssl/certs/ca-certificates.crt "$room/etc/ssl/certs/"
    [ ! -e /etc/pip.conf ] || cp /etc/pip.conf "$room/etc/"
    apt-config dump | grep -iE '^(Acquire::(http|https|ftp|Check|Retries)|Dir::Etc)' \
        | grep -iv '^Dir' >"$room/etc/apt/apt.conf.d/90caller" || true
    inside root id ann >/dev/null 2>&1 || inside root useradd --create-home ann
}

# The caller's words on how to reach the packages, and nothing else of the caller's environment.
reach=()
while IFS= read -r -d '' line; do
    case ${line%%=*} in
        PIP_FIND_LINKS) ;; # a folder that the room does not have
        PIP_* | SSL_CERT_FILE | SSL_CERT_DIR | REQUESTS_CA_BUNDLE | CURL_CA_BUNDLE | \
            http_proxy | https_proxy | no_proxy | HTTP_PROXY | HTTPS_PROXY | NO_PROXY)
            reach+=("$line") ;;
    esac
done < <(env -0)

home_of() { if [ "$1" = root ]; then echo /root; else echo "/home/$1"; fi; }

# inside USER COMMAND…: in the room, in that user's home, with a clean environment
inside() {
    local user=$1 home
    shift
    home=$(home_of "$user")
    chroot --userspec="$user" "$room" env -i HOME="$home" USER="$user" LANG=C.UTF-8 \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${reach[@]}" \
        sh -c 'cd "$HOME" && exec "$@"' sh "$@"
}

clone_for() {
    local home
    home=$(home_of "$1")
    rm -rf "$room$home/mailape"
    git -c safe.directory='*' -C "$clone" bundle create -q "$room/tmp/mailape.bundle" HEAD
    chmod 644 "$room/tmp/mailape.bundle"
    inside "$1" git -c advice.detachedHead=false clone -q /tmp/mailape.bundle mailape
}

# The processes of the room besides ours: those whose root is the room.
tenants() {
    local proc
    for proc in /proc/[0-9]*; do
        [ "$(readlink "$proc/root" 2>/dev/null)" != "$room" ] || tr '\0' ' ' <"$proc/cmdline"
    done
}

wait_for_site() {
    for _ in $(seq 1 600); do
        if inside root python3 -c '
import urllib.request
urllib.request.urlopen("http://127.0.0.1:8000/readyz", timeout=5)' 2>/dev/null; then return 0; fi
        kill -0 "$1" 2>/dev/null || return 1
        sleep 0.5
    done
    return 1
}

# try_run USER SIGNAL: starts make run, waits until it is ready, ends it, looks for what is left
try_run() {
    local user=$1 signal=$2 start=$SECONDS code=0 log=$room/tmp/run.log
    # A shell starts what runs in its background with SIGINT ignored; a person's terminal does not.
    inside "$user" setsid env --default-signal=INT make -C mailape run >"$log" 2>&1 </dev/null &
    local shell=$!
    wait_for_site $shell || { cat "$log"; echo "NOT READY as $user"; exit 1; }
    echo "ready after $((SECONDS - start)) s as $user; it printed:"
    sed 's/^/    /' "$log"
    local make
    make=$(pgrep -x make | tail -n 1)
    # Ctrl-C reaches the whole group, a supervisor's SIGTERM only make.
    if [ "$signal" = INT ]; then kill -INT -- "-$make"; else kill "-$signal" "$make"; fi
    wait $shell || code=$?
    for _ in $(seq 1 40); do [ -n "$(tenants)" ] || break; sleep 0.5; done
    echo "ended by SIG$signal with exit code $code; left behind: '$(tenants)'"
    [ -z "$(tenants)" ]
}

say_run() {
    say "make run as $1"
    clone_for "$1"
    try_run "$1" TERM
    local signal
    for signal in INT KILL TERM; do
        say "make run as $1 again, on the same data"
        try_run "$1" "$signal"
    done
}

furnish
inside root python3 --version
if [ "$what" != test ]; then
    say_run root
    say_run ann
fi
if [ "$what" != run ]; then
    say "make test as root (CI=true)"
    clone_for root
    inside root env CI=true make -C mailape test </dev/null
fi
say "The clean room is content."
