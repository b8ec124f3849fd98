#!/bin/sh
# Makes .venv from a lock, or sees in a moment that it is already made:
#
#     requirements/venv.sh run      what MailApe needs to run
#     requirements/venv.sh dev      that, and what its tests need
#
# PYTHON names the interpreter (PYTHON=python3.13); otherwise it is the one that the venv was made
# with, or the first of python3, python3.13, python3.12, python3.11 that is new enough.
# MAILAPE_VENV names another folder than .venv.
#
# The folder made-from in it holds what it was made from: the locks, this folder, the version of
# Python. While work is going on there is a file half-made. So a venv whose making was killed is made
# anew, and so is one that was moved or belongs to another Python.
set -eu

lock=$1
cd "$(dirname "$0")/.."
folder=$(pwd -P)
venv=${MAILAPE_VENV:-.venv}
made=$venv/made-from

say() { printf '%s\n' "$*" >&2; }
stop() { say "mailape: $*"; exit 1; }
version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# The version that the venv was made with, if it still answers to it; otherwise nothing.
version_of_venv() {
    had=$(cat $made/python 2>/dev/null) || return 0
    [ "$(version $venv/bin/python)" != "$had" ] || echo "$had"
}

choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        command -v "$PYTHON" >/dev/null || stop "there is no $PYTHON here: install it or leave PYTHON out."
        new_enough "$PYTHON" || stop "$PYTHON is older than 3.11: choose a newer one with PYTHON=python3.13, say."
        python=$PYTHON
        return
    fi
    for python in python3 python3.13 python3.12 python3.11; do
        if new_enough "$python"; then return; fi
    done
    stop "Python 3.11 or newer is needed: apt-get install python3 python3-venv (Debian 12 or newer)."
}

is_whole() {
    [ -d $made ] && [ ! -e "$venv/half-made" ] && [ "$(cat $made/folder)" = "$folder" ] || return 1
    have=$(version_of_venv)
    [ -n "$have" ] && [ "$have" = "${wanted:-$have}" ]
}

is_fresh() {
    is_whole && cmp -s "requirements/$lock.txt" "$made/$lock.txt" \
        && cmp -s pyproject.toml $made/pyproject.toml
}

make_venv() {
    "$python" -c 'import venv, ensurepip' 2>/dev/null \
        || stop "$python cannot make a virtual environment: apt-get install $(basename "$python")-venv."
    rm -rf "$venv"
    mkdir "$venv"
    true >"$venv/half-made"
    "$python" -m venv "$venv" >&2
    mkdir $made
}

install() {
    true >"$venv/half-made"
    pip="env -u PYTHONHOME -u PYTHONPATH $venv/bin/python -m pip --disable-pip-version-check --no-input"
    $pip install --quiet --progress-bar off --require-hashes -r "requirements/$lock.txt" >&2 \
        || stop "the packages could not be installed; the lines above say why. Run it again when that is mended."
    $pip install --quiet --no-deps --no-build-isolation -e . >&2 \
        || stop "MailApe itself could not be installed; the lines above say why."
}

write_down() {
    cp pyproject.toml "requirements/$lock.txt" $made/
    # What the tests need contains what running needs, so the latter is made as well.
    [ "$lock" = run ] || cp requirements/run.txt $made/
    echo "$folder" >$made/folder
    version $venv/bin/python >$made/python
    rm "$venv/half-made"
}

# Two at once would trip over each other: the second waits, then finds the first one's work.
exec 9<"requirements/venv.sh"
if command -v flock >/dev/null; then flock 9; fi

wanted=
if [ -n "${PYTHON:-}" ]; then choose_python; wanted=$(version "$python"); fi
if is_fresh; then exit 0; fi
say "Making $venv from requirements/$lock.txt: once, about a minute."
is_whole || { choose_python; make_venv; }
install
write_down
