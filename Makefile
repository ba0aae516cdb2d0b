# Everything runs from a clean clone with Python 3.11+, make and the package registries.
# pip's own configuration (mirrors, proxies) is respected; the versions are locked by hash.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell \
	$(name) -c 'import sys; (3, 11) <= sys.version_info[:2] < (3, 14) and print("$(name)")' 2>/dev/null)))

SEED ?= 1
OBLIGATIONS ?= 2000
DAYS ?= 21
NAME ?=
TESTS ?= tests
# one waits for the stack it watches more than it computes: three keep two cores busy
WORKERS ?= 3
JOBS ?= 2

# nothing of ours calls home
export DO_NOT_TRACK := 1
# where the shell forbids bytecode, each of hundreds of processes would compile everything anew
export PYTHONDONTWRITEBYTECODE :=
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export GX_ANALYTICS_ENABLED := false
export DAGSTER_DISABLE_TELEMETRY := yes
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
# steps of `lint` that need nothing of each other; the longest first
LINTS := lint-types lint-queries lint-definitions lint-schemas lint-style
.PHONY: help install up down doctor demo test proof bench lint $(LINTS) format chromium \
	screenshots clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## make .venv from requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: Python 3.11, 3.12 or 3.13 is needed and none was found;" \
		"install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || { \
		echo "make: $(PYTHON) is $$($(PYTHON) --version); Python 3.11, 3.12 or 3.13 is needed" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) cannot make virtual" \
		"environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@# the lock names every package, so nothing is left to resolve (old pips stumble over its extras)
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

up: $(STAMP) ## start the whole stack and the demo traffic; Ctrl-C stops it
	@exec $(BIN)/tinko up

down: $(STAMP) ## stop the stack, or what a killed one left running
	@$(BIN)/tinko down

doctor: $(STAMP) ## check each part and say what to fix
	@$(BIN)/tinko doctor

demo: $(STAMP) ## the proof (SEED=1 OBLIGATIONS=2000 DAYS=21)
	@exec $(BIN)/tinko demo --seed $(SEED) --obligations $(OBLIGATIONS) --days $(DAYS)

test: $(STAMP) chromium ## the tests, on the real embedded engines (TESTS=tests/unit for some)
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)

proof: $(STAMP) ## the long proofs at their full counts, as JSON lines (NAME=demo, chaos, …)
	@$(BIN)/python -m tests.proofs $(NAME)

bench: $(STAMP) ## benchmarks as JSON lines (NAME=webhooks, claim, …)
	@$(BIN)/python -m tests.benchmarks $(NAME)

lint: $(STAMP) ## formatting, lint, types, import contracts, migrations, dbt, definitions, SQL
	@$(MAKE) --no-print-directory --keep-going --jobs=$(JOBS) --output-sync=target $(LINTS)

lint-types:
	$(BIN)/mypy

lint-queries:
	$(BIN)/sqlfluff lint --nocolor --templater placeholder sql/queries

lint-definitions:
	@# first dbt, which leaves the manifest that the definitions are made of
	$(BIN)/dbt --quiet parse --project-dir dbt_project --profiles-dir dbt_project
	@mkdir -p $(VENV)/.dagster
	DAGSTER_HOME=$(CURDIR)/$(VENV)/.dagster $(BIN)/dg check defs

lint-schemas:
	$(BIN)/tinko db check
	$(BIN)/sqlfluff lint --nocolor sql/clickhouse sql/postgres dbt_project

lint-style:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

format: $(STAMP) ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

chromium: ## a browser for the browser tests, where none is installed
	@sh deploy/install-chromium.sh

screenshots: $(STAMP) chromium ## the README's pictures, from a running `make up`
	@$(BIN)/python deploy/screenshots.py

clean: ## remove the environment, caches and the stack's data (stop the stack first)
	@if [ -x $(BIN)/tinko ]; then $(BIN)/tinko down; fi
	rm -rf $(VENV) .tinko .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache \
		dbt_project/target dbt_project/logs *.egg-info
