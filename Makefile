# Everything a newcomer types. `make demo` and `make test` need Python 3.11 or newer and git, and
# set up the rest in .venv; later runs start at once.

BIN := .venv/bin
PY  := $(BIN)/python
WORKERS ?= 2

# Which Python makes .venv: `make PYTHON=/path/to/python3.12 test` says so, else the newest that
# starts (a pyenv shim may not) and can make virtual environments (Debian splits that off).
PYTHON ?=

# A .venv that was copied along from elsewhere, or whose Python is gone, is made again; one that
# was not made here is left as it is, and added to.
$(shell test ! -e .venv/made-in || { test "$$(cat .venv/made-in)" = "$(CURDIR)" \
	&& $(PY) -c '' 2>/dev/null; } || rm -rf .venv)

.NOTPARALLEL:
.PHONY: demo test test-all lint types contracts docs docs-check bench wheel-check clean

demo: .venv/package-installed
	$(BIN)/slip demo

test: .venv/dev-installed
	$(PY) -m pytest -n $(WORKERS) -m "not slow"

test-all: .venv/dev-installed
	$(PY) -m pytest -n $(WORKERS) --cold

lint: .venv/dev-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev-installed
	$(BIN)/mypy

contracts: .venv/dev-installed
	$(BIN)/lint-imports

docs: .venv/package-installed
	$(PY) docs/generate.py

docs-check: .venv/package-installed
	$(PY) docs/generate.py --check

# BENCH names repositories, say BENCH="--linux --repo mine=../mine"; without it one is made up.
bench: .venv/dev-installed
	$(PY) bench/speed.py $(BENCH) --write docs/benchmarks.md

wheel-check: .venv/dev-installed
	PYTHON=$(PY) sh .ci/wheel-check

clean:
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find slipstream_git tests bench docs -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/made-in:
	@for python in $(or $(PYTHON),python3.14 python3.13 python3.12 python3.11 python3); do \
		if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
			2>/dev/null; then found=$$python; break; fi; \
	done; \
	if test -z "$$found"; then \
		echo "error: no Python 3.11 or newer with venv here (Debian: apt install python3-venv);" \
			"install one, or say which: make PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi; \
	set -ex; $$found -m venv .venv
	@printf '%s\n' "$(CURDIR)" > $@

.venv/package-installed: pyproject.toml | .venv/made-in
	$(PY) -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/dev-installed: pyproject.toml | .venv/made-in
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ .venv/package-installed
