#!/bin/sh
# Rewrites both lock files: every dependency pinned by hash, no registry address in them.
set -eu
uv=$1
for extra in "install" "install --extra dev"; do
    case $extra in *dev*) out=requirements-dev.lock ;; *) out=requirements.lock ;; esac
    # shellcheck disable=SC2086
    "$uv" pip compile pyproject.toml --extra $extra --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-header --quiet -o "$out"
done
