# Cisterna. `make` lists what can be made. Everything stays in this folder: the tools in .venv, products in build.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell command -v python3.11 || command -v python3)
DAY := hydromorphone-pca-day
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# The software token that stands for a smart card in tests: from Debian, where this may be installed without asking.
SOFTHSM := command -v softhsm2-util >/dev/null || { test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null; } || \
    { apt-get install -y -q --no-install-recommends softhsm2 || { apt-get update -q && apt-get install -y -q \
    --no-install-recommends softhsm2; }; } >/dev/null 2>&1 || echo 'no softhsm2: the tests with a token are skipped'

.PHONY: help run test test-unit test-target soak bench bench-target bench-deploy image image-twice lint clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/run.stamp  ## play a day of intrathecal PCA and draw it
	@mkdir -p build
	@$(BIN)/cisterna sim host_tools/cisterna/scenarios/$(DAY).toml \
	    --plot build/$(DAY).png --trace build/$(DAY).csv --trace-every 120 --log build/$(DAY).jsonl
	@printf 'plot   %s\ntrace  %s\nlog    %s\n' build/$(DAY).png build/$(DAY).csv build/$(DAY).jsonl

test: $(VENV)/dev.stamp  ## run all tests but those of the real image
	@$(BIN)/pytest -q -n 2 --ignore tests/target

test-unit: $(VENV)/dev.stamp  ## run the quick tests, without the simulated board
	@$(BIN)/pytest -q --ignore tests/hil --ignore tests/target

test-target: $(VENV)/target.stamp image  ## run the tests of the real image, on an RP2040 in software (minutes)
	@$(BIN)/pytest -q -n 2 --dist loadfile tests/target

soak: $(VENV)/dev.stamp  ## play the ninety days, and a million damaged lines (minutes)
	@CISTERNA_SOAK=1 $(BIN)/pytest -q -n 2 --dist loadfile tests/hil/test_scenarios.py tests/fuzz

bench: $(VENV)/bench.stamp  ## print the figures: speed, accuracy, occlusion, memory
	@$(BIN)/python tests/bench/figures.py

bench-target: $(VENV)/target.stamp image  ## print the budget of the RP2040: tick, heap, boot, step edges, size
	@$(BIN)/python tests/bench/figures.py --only chip

bench-deploy: $(VENV)/target.stamp image  ## print how long a deploy takes, and mpremote beside it
	@$(BIN)/python tests/bench/deploy.py

image: $(VENV)/run.stamp  ## build the flashable image of the real board, both variants
	@$(BIN)/cisterna image build

image-twice: $(VENV)/run.stamp  ## prove that the same sources give the same image (minutes)
	@$(BIN)/cisterna image build --twice

lint: $(VENV)/dev.stamp  ## check style and common mistakes
	@$(BIN)/ruff check -q --output-format=concise .

clean:  ## remove products and caches, keep the tools
	@rm -rf build .pytest_cache .ruff_cache .hypothesis host_tools/*.egg-info
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# The tools, in three steps so that a first run waits for no more than it needs.
$(VENV)/run.stamp: pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "PYTHON is $(PYTHON); allowed: Python 3.11 or newer (make PYTHON=/path/to/it)" >&2; exit 2; }
	@test -x $(BIN)/python || { echo "making $(VENV) ..."; "$(PYTHON)" -m venv $(VENV); }
	@$(BIN)/pip install -qq -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp
	@$(BIN)/pip install -qq -e '.[dev]'
	@$(BIN)/pip install -qq -e '.[token]' || echo 'no python-pkcs11 here: the tests with a token are skipped'
	@$(SOFTHSM)
	@touch $@

$(VENV)/bench.stamp: $(VENV)/run.stamp
	@$(BIN)/pip install -qq -e '.[bench]'
	@touch $@

$(VENV)/target.stamp: $(VENV)/dev.stamp
	@$(BIN)/pip install -qq -e '.[target]'
	@touch $@
