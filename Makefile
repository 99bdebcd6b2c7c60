# `make demo` and `make test` each do everything on a fresh machine with Python 3.11+.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
SYSTEM = $(shell sed 's/\#.*//' debian-packages.txt)
RANDOM_TESTS := tests/machines tests/protocols/test_protocol_fuzz.py tests/core/test_receipts.py \
  tests/core/test_periods.py tests/web/api/test_bad_bodies.py tests/web/api/test_openapi_fuzz.py \
  tests/services/test_audit.py

.PHONY: help setup setup-system check test prove fuzz demo serve bench bench-peers bench-risk bench-profile bench-paint bench-stored speed-page simulate mutate safety-page docs reference audit-dependencies sbom clean

help: ## Show what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.base: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.all: $(VENV)/.base
	$(BIN)/python -m pip install --quiet --editable '.[postgres,tigerbeetle,x402,mpp,otel,granian,risk,rules]' --group check --group docs --group test
	@touch $@

setup: $(VENV)/.all ## Install everything into .venv

setup-system: ## Install what some tests run beside us, from Debian (as root)
	dpkg --status $(SYSTEM) > /dev/null 2>&1 || { apt-get update --quiet=2 && \
	  DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends \
	  -o DPkg::Lock::Timeout=300 $(SYSTEM) > /dev/null; }

check: $(VENV)/.all ## Format, lint, types and import floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/pyright

test: $(VENV)/.all ## Run the tests
	$(BIN)/python -m pytest -n auto -m 'not prove' $(ARGS)

prove: $(VENV)/.all ## Run the long proofs (up to an hour)
	$(BIN)/python -m pytest -s -m prove $(ARGS)
	FARTHING_TEST_EFFORT=20 $(BIN)/python -m pytest -n auto -m 'not prove' $(RANDOM_TESTS)

fuzz: $(VENV)/.all ## Fuzz every parser, guided by coverage; ARGS="--seconds 60 --keep"
	$(BIN)/python -m pip install --quiet --group fuzz
	$(BIN)/python -m tests.fuzz $(ARGS)

demo: $(VENV)/.base ## Watch machines pay machines
	@$(BIN)/farthing demo $(ARGS)

serve: $(VENV)/.base ## Start a hub on 127.0.0.1
	@$(BIN)/farthing serve $(ARGS)

bench: $(VENV)/.all ## Measure payments beside the machine's own ceilings
	@$(BIN)/python -m bench $(ARGS)

bench-peers: $(VENV)/.all ## Measure the same job with what one would pick instead
	@$(BIN)/python -m bench.peers $(ARGS)

bench-risk: $(VENV)/.all ## Measure how well models find what is bad, on labelled data from PyPI
	@$(BIN)/python -m pip install --quiet --group risk-data
	@$(BIN)/python -m bench.risk $(ARGS)

bench-profile: $(VENV)/.all ## Show where a payment's time goes, stage by stage
	@$(BIN)/python -m bench.profile $(ARGS)

bench-paint: $(VENV)/.all ## Measure how soon pages show something, on a slow line and a slow phone
	@$(BIN)/python -m bench.first_paint $(ARGS)

bench-stored: $(VENV)/.all ## Pay beside ten million stored payments; the first time takes hours to make them
	@$(BIN)/python -m bench.stored $(ARGS)

simulate: $(VENV)/.all ## Run a hub in which everything goes wrong by a seed; ARGS="--seed 7"
	@$(BIN)/python -m simulation $(ARGS)

mutate: $(VENV)/.all ## Change the code that decides about money, and see whether a test notices; ARGS="ledger"
	@$(BIN)/python -m tests.mutation $(ARGS)

safety-page: $(VENV)/.all ## Write the tables of safety.md from the results that are kept
	@$(BIN)/python -m simulation.safety_page
	@$(BIN)/python -m tests.mutation.page

speed-page: $(VENV)/.all ## Write tables and plots of speed.md from bench/results
	@$(BIN)/python -m bench.speed_page

docs: $(VENV)/.base ## Build the documentation as a site, build/docs/index.html
	@$(BIN)/python -m pip install --quiet --group docs
	@$(BIN)/python -m docsite $(ARGS)

build/tools/.done: pyproject.toml
	$(PYTHON) -m venv build/tools
	build/tools/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	build/tools/bin/python -m pip install --quiet --group supply
	@touch $@

build/shipped/.done: pyproject.toml
	$(PYTHON) -m venv build/shipped
	build/shipped/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	build/shipped/bin/python -m pip install --quiet '.[postgres,tigerbeetle,x402,mpp,otel,granian,risk,rules]'
	@touch $@

audit-dependencies: build/tools/.done build/shipped/.done ## Look for known advisories of what is shipped (asks PyPI)
	build/shipped/bin/python -m pip freeze --exclude farthing > build/shipped.txt
	build/tools/bin/pip-audit --strict --no-deps --disable-pip --requirement build/shipped.txt

sbom: build/tools/.done build/shipped/.done ## Write the bill of materials, build/farthing.cdx.json
	build/tools/bin/cyclonedx-py environment build/shipped/bin/python --pyproject pyproject.toml \
	  --mc-type application --output-reproducible --output-file build/farthing.cdx.json

reference: $(VENV)/.all ## Write the reference pages anew from the code
	$(BIN)/python -m tests.house.reference

clean: ## Remove what was installed and built
	rm -rf $(VENV) dist build
