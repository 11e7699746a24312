# Every target does its own set-up on a machine with Python 3.11+ and Node.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION = 1

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.8
SETUP := $(VENV)/.ready

.PHONY: help setup demo test pr synth bench build lock format lint types clean

help: ## Show this text
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(SETUP) ## Virtual environment with the locked dependencies

$(SETUP): requirements.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip install --quiet --no-deps --python $(BIN)/python --editable .
	@touch $(SETUP)

demo: $(SETUP) ## Local cloud, real flights, from config upload to validated tables
	$(BIN)/lakeshift local up --detach
	$(BIN)/python -m localcloud.flights .lakeshift/flights --seed
	$(BIN)/lakeshift run examples/flights/flights.json
	@echo "The local cloud still runs: lakeshift report RUN --json, lakeshift local sql redshift \"...\", lakeshift local down"

test: $(SETUP) build ## The whole test suite
	$(BIN)/pytest -n 2 --dist loadgroup

pr: $(SETUP) build lint types ## The gate: format, lint, types, tests, synth, lock
	$(BIN)/ruff format --check .
	$(MAKE) --no-print-directory synth test
	$(BIN)/uv pip compile pyproject.toml --all-extras --python-version 3.11 --no-emit-index-url --no-header --quiet \
	  --constraint requirements.lock --output-file build/requirements.lock
	@diff <(grep -v '^ *#' requirements.lock) <(grep -v '^ *#' build/requirements.lock) \
	  || { echo "requirements.lock is out of date: make lock"; exit 1; }

build: $(SETUP) ## Lambda code and layer
	$(BIN)/python -m infra.bundle

synth: $(SETUP) build ## Templates of all stages in cdk.out, checked by cfn-lint
	$(BIN)/python app.py --out cdk.out
	$(BIN)/cfn-lint cdk.out/*.template.json

bench: $(SETUP) build ## Measurements
	$(BIN)/python -m bench

lock: ## Lock the dependencies anew
	$(BIN)/uv pip compile pyproject.toml --all-extras --python-version 3.11 --no-emit-index-url --no-header \
	  --quiet --output-file requirements.lock

format: $(SETUP) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

lint: $(SETUP) ## Lint
	$(BIN)/ruff check .

types: $(SETUP) ## Type-check
	$(BIN)/mypy

clean: ## Remove what was built; the local cloud's data too
	-@test -x $(BIN)/lakeshift && $(BIN)/lakeshift local down
	rm -rf build cdk.out .lakeshift .mypy_cache .ruff_cache .pytest_cache .hypothesis $(VENV)
