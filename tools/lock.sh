#!/bin/sh
# Writes a lock file: tools/lock.sh FILE [--upgrade]. For every Python from 3.11.0 and every system,
# whichever it runs on: what only some need carries a marker, and every file of a release its hash.
# What FILE pins already stays as it is, as far as pyproject.toml allows, unless told to --upgrade.
set -eu
cd "$(dirname "$0")/.."
file=$1
shift
# A release without a wheel would have to be built to learn what it needs, so none is taken. With
# what sends traces, as the image has it.
exec .venv/bin/uv pip compile --no-config --quiet --universal --python-version 3.11.0 --no-build \
    --no-python-downloads --extra traces --generate-hashes --no-annotate \
    --custom-compile-command "make lock" --output-file "$file" "$@" pyproject.toml
