#!/bin/sh
# install.sh PYTHON VENV LOCK: make VENV hold exactly LOCK, and this project in editable form.
set -eu
python=$1 venv=$2 lock=$3
say() { printf '%s\n' "$*" >&2; }

command -v "$python" >/dev/null 2>&1 || { say "headway: no '$python' on PATH; install Python 3.11 or newer, or run: make PYTHON=/path/to/python3 ..."; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { say "headway: $("$python" --version) is too old; Python 3.11 or newer is needed (make PYTHON=/path/to/python3 ...)"; exit 1; }

uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    uv=.boot/bin/uv
    if [ ! -x "$uv" ]; then
        say "headway: fetching the installer (uv)"
        rm -rf .boot
        "$python" -m venv --without-pip .boot
        "$python" -m pip --python .boot/bin/python install --quiet --disable-pip-version-check uv ||
            { say "headway: pip could not install uv; check that pip works: $python -m pip --version"; exit 1; }
    fi
fi
[ -x "$venv/bin/python" ] || "$uv" venv --quiet --python "$python" "$venv"
say "headway: installing from $lock"
# Compiled here and now: where Python may write nothing later, each start would compile everything again.
"$uv" pip install --quiet --python "$venv/bin/python" --compile-bytecode --require-hashes -r "$lock"
"$uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation -e .
"$venv/bin/python" -m compileall -q platform policies telemetry
touch "$venv/.installed"
case $lock in *dev*) touch "$venv/.installed-dev" ;; esac
