.PHONY: run test test-quick check format explorer screenshots wheel lock bench soak clean

# Options for `make run`, for example: make run ARGS="--port 9000"
ARGS ?=
# Node.js may have come from PyPI, into .venv.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# What is compiled is kept, also where the shell says otherwise: each start would take twice as long.
run: export PYTHONDONTWRITEBYTECODE :=
run:
	@tools/setup.sh
	@# The gateway takes the shell's place and process id, and need not wait for its page.
	@(.venv/bin/python tools/build_explorer.py --until $$$$ &); \
	exec .venv/bin/number-gateway serve --sandbox $(ARGS)

# Five files of tests at a time, on two processors as well: much of a run is waiting, for browsers,
# for processes to start and for clocks. In the order that tests/conftest.py gives them, the longest
# first: by number of tests, the longest of all would come last, and alone. What is compiled is kept,
# also where the shell says otherwise: each process would compile all tests in each run. In a new
# checkout one does it before the five begin; if that fails, they say why.
test test-quick: export PYTHONDONTWRITEBYTECODE :=
test: .venv/.dev explorer tests/__pycache__
	.venv/bin/pytest --numprocesses 5 --dist loadfile --no-loadscope-reorder

tests/__pycache__: | .venv/.dev
	@.venv/bin/pytest --collect-only -qq -p no:cacheprovider >/dev/null 2>&1 || true

# Those that start no server and no process, which is seen by itself: see tests/support/quick.py.
test-quick: .venv/.python-dev
	.venv/bin/pytest --numprocesses 2 -m quick

check: .venv/.python-dev
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

format: .venv/.python-dev
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

explorer: .venv/.dev
	@.venv/bin/python tools/build_explorer.py

# Every state of the explorer in light, in dark and on a phone, on a page to look at.
screenshots: .venv/.dev explorer
	@.venv/bin/python -m tests.explorer.screenshots

# The package to install elsewhere, with the explorer in it.
wheel: .venv/.dev explorer
	.venv/bin/pip wheel --quiet --no-deps --wheel-dir dist .
	@ls dist/*.whl

# Dependencies of production with their hashes, for `pip install --require-hashes`.
lock: .venv/.dev
	@tools/lock.sh requirements.lock --upgrade
	.venv/bin/pip-audit --requirement requirements.lock --require-hashes --disable-pip

bench: .venv/.dev
	.venv/bin/pip install --quiet --group bench
	.venv/bin/python -m tests.benchmarks $(ARGS)

soak: .venv/.dev
	.venv/bin/python -m tests.benchmarks.soak $(ARGS)
	.venv/bin/python -m tests.benchmarks.harm
	.venv/bin/python -m tests.benchmarks.rolling
	.venv/bin/python -m tests.benchmarks.failover

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist gateway/explorer/static gateway/explorer/static.next gateway/explorer/build.json
	rm -rf gateway/explorer/web/node_modules

.PHONY: .venv/.dev .venv/.python-dev
.venv/.python-dev:
	@tools/setup.sh dev

.venv/.dev: .venv/.python-dev
	@tools/setup-tests.sh
