# Every target does its own set-up on a machine with Python 3.11+ and Node.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION = 20

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.8
SETUP := $(VENV)/.ready
BROWSER := $(VENV)/.browser
AS_ROOT := $(shell test "$$(id -u)" = 0 || echo sudo -n)

UV_COMPILE := $(BIN)/uv pip compile pyproject.toml --python-version 3.11 --no-header --no-emit-index-url --quiet
# What Lambda and Glue install: a part of requirements.lock, as wheels for their Linux.
LAMBDA_LOCK := --extra aws --extra bigquery --python-platform x86_64-manylinux_2_28 --no-annotate --no-emit-find-links

.PHONY: help setup demo test test-crash test-mutations pr synth bench bench-extract bench-validate build lock format lint types clean

help: ## Show this text
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(SETUP) $(BROWSER) ## Virtual environment with the locked dependencies, compiled kernel; a browser for tests, where apt-get works

$(SETUP): requirements.lock lakeshift/lake/kernel.c infra/kernel.py
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip install --quiet --no-deps --python $(BIN)/python --editable .
	$(BIN)/python -m infra.kernel
	@touch $(SETUP)

# Tests look at reports in a real browser and on paper. Where these packages cannot be had they are skipped, and say so.
$(BROWSER): $(SETUP)
	@{ command -v chromium && command -v pdftotext; } >/dev/null \
	  || { $(AS_ROOT) apt-get update -qq && $(AS_ROOT) env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium fonts-dejavu-core poppler-utils; } >/dev/null 2>&1 \
	  || echo "no Chromium or poppler-utils here: tests of the report page will be skipped"
	@touch $(BROWSER)

demo: $(SETUP) ## Local cloud, real flights, from config upload to validated tables
	$(BIN)/lakeshift local up --detach
	$(BIN)/python -m localcloud.flights .lakeshift/flights --seed
	$(BIN)/lakeshift run examples/flights/flights.json
	@echo "The local cloud still runs: lakeshift report RUN --json, lakeshift local sql redshift \"...\", lakeshift local down"

test: $(SETUP) $(BROWSER) build ## The test suite, without what takes minutes; most of that is in test-crash and test-mutations
	$(BIN)/pytest -n 2 --dist loadgroup -m "not exhaustive"

test-crash: $(SETUP) ## The crash tests alone; prints how many points and interleavings were tried
	$(BIN)/pytest -n 2 --dist loadgroup tests/crash

test-mutations: $(SETUP) build ## All planted faults that the gate has to find, the long half too; a table of 3,000 columns
	$(BIN)/pytest -n 2 --dist loadgroup tests/validate/test_mutations.py tests/scenarios/wide_split

pr: $(SETUP) build lint types ## The gate: format, lint, types, tests, synth, lock
	$(BIN)/ruff format --check .
	$(MAKE) --no-print-directory synth test
	$(UV_COMPILE) --all-extras --constraint requirements.lock --output-file build/requirements.lock
	$(UV_COMPILE) $(LAMBDA_LOCK) --constraint requirements.lock --output-file build/requirements-lambda.lock
	@for lock in requirements.lock requirements-lambda.lock; do \
	  diff <(grep -v '^ *#' $$lock) <(grep -v '^ *#' build/$$lock) \
	    || { echo "$$lock is out of date: make lock"; exit 1; }; \
	done

build: $(SETUP) ## Lambda code and layer
	$(BIN)/python -m infra.bundle

# W3005 and W6001 are CDK's own: a dependency on a role besides the reference to it, and outputs that repeat an import.
synth: $(SETUP) build ## Templates of all stages in cdk.out, checked by cfn-lint
	$(BIN)/python app.py --out cdk.out
	$(BIN)/cfn-lint --ignore-checks W3005 W6001 -- cdk.out/*.template.json

bench: $(SETUP) build ## Measurements
	$(BIN)/python -m bench

bench-extract: $(SETUP) ## The extract against its peers and the machine's limit
	$(BIN)/python -m bench.extract

bench-validate: $(SETUP) ## The validation gate: checksums against DuckDB's, its cost in an extract, bisecting, memory
	$(BIN)/python -m bench.validate

lock: $(SETUP) ## Lock the dependencies anew
	$(UV_COMPILE) --all-extras --output-file requirements.lock
	$(UV_COMPILE) $(LAMBDA_LOCK) --constraint requirements.lock --output-file requirements-lambda.lock

format: $(SETUP) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

lint: $(SETUP) ## Lint
	$(BIN)/ruff check .

types: $(SETUP) ## Type-check
	$(BIN)/mypy

clean: ## Remove what was built; the local cloud's data too
	-@test -x $(BIN)/lakeshift && $(BIN)/lakeshift local down
	rm -rf build lakeshift/lake/libkernel.so cdk.out .lakeshift .mypy_cache .ruff_cache .pytest_cache .hypothesis $(VENV)
