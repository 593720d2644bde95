#!/bin/sh
# Sets up .venv: `tools/setup.sh` for running, `tools/setup.sh dev` for tests and linters too.
set -eu
cd "$(dirname "$0")/.."
. tools/ticking.sh

fail() {
    echo "number-gateway: $1" >&2
    exit 1
}

[ -w . ] || fail "this folder cannot be written to: $(pwd)"

python=
for candidate in "${PYTHON:-}" python3.14 python3.13 python3.12 python3.11 python3; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || fail "Python 3.11 or newer is needed: install it, or name it with PYTHON=…"

if ! [ -x .venv/bin/pip ]; then
    # Debian's python3 comes without ensurepip, which is in python3-venv.
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            echo "Installing python3-venv …"
            apt-get update -qq && ticking apt-get install -y -qq python3-venv >/dev/null
        else
            fail "python3-venv is needed: run 'apt-get install python3-venv' as root"
        fi
    fi
    echo "Creating .venv …"
    "$python" -m venv .venv
fi

want=run
[ "${1:-}" = dev ] && want=dev
stamp=".venv/.ready-$want"
if ! [ "$stamp" -nt pyproject.toml ]; then
    echo "Installing Python packages …"
    .venv/bin/pip install --quiet --upgrade 'pip>=25.1'
    if [ "$want" = dev ]; then
        ticking .venv/bin/pip install --quiet --editable . --group dev
    else
        ticking .venv/bin/pip install --quiet --editable .
    fi
    touch "$stamp"
fi
