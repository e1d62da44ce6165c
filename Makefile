# Cisterna. `make` lists what can be made. Everything stays in this folder: the tools in .venv, products in build.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

VENV := .venv
BIN := $(VENV)/bin
STUBS := build/micropython-stubs
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# What `make lint` is made of; .pre-commit-config.yaml calls the same checks, in this order.
CHECKS := lint-style lint-format lint-types lint-firmware-types lint-imports lint-text lint-changelog
PYTHONS := 3.11 3.12 3.13 3.14
PYRIGHT = $(BIN)/pyright --pythonpath $(BIN)/python --warnings
DAY := hydromorphone-pca-day
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# From Debian, where packages may be installed without asking: the software token that stands for a smart card in tests,
# and PyPy, which plays the simulated board. What is missing is told; its tests are skipped, and fail inside CI.
DEBIAN := softhsm2 pypy3
FROM_DEBIAN := { command -v softhsm2-util && command -v pypy3; } >/dev/null || \
    { test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null; } || \
    { apt-get install -y -q --no-install-recommends $(DEBIAN) || { apt-get update -q && apt-get install -y -q \
    --no-install-recommends $(DEBIAN); }; } >/dev/null 2>&1 || echo 'not installed: $(DEBIAN); their tests are skipped'

.PHONY: help run test test-unit test-target test-pythons soak check bench bench-target bench-deploy image image-twice
.PHONY: mutants lint $(CHECKS) clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/run.stamp  ## play a day of intrathecal PCA and draw it
	@mkdir -p build
	@$(BIN)/cisterna sim host_tools/cisterna/scenarios/$(DAY).toml \
	    --plot build/$(DAY).png --trace build/$(DAY).csv --trace-every 120 --log build/$(DAY).jsonl
	@printf 'plot   %s\ntrace  %s\nlog    %s\n' build/$(DAY).png build/$(DAY).csv build/$(DAY).jsonl

test: $(VENV)/dev.stamp  ## run all tests but those of the real image
	@$(BIN)/pytest -q -n 2 --ignore tests/target

test-unit: $(VENV)/dev.stamp  ## run the quick tests, without the simulated board
	@$(BIN)/pytest -q --ignore tests/hil --ignore tests/faults --ignore tests/target

mutants: $(VENV)/dev.stamp  ## break the pump in N=100 places (SEED=1), and see whether the quick tests notice
	@$(BIN)/python tests/mutation/mutants.py --sample $(or $(N),100) --seed $(or $(SEED),1)

test-target: $(VENV)/target.stamp image  ## run the tests of the real image, on an RP2040 in software (minutes)
	@$(BIN)/pytest -q -n 2 --dist loadfile tests/target

test-pythons: $(addprefix test-python-,$(PYTHONS))  ## run the unit tests with each other Python (3.11 to 3.14)

# `python3.12` may be a shim of pyenv that has no interpreter behind it here: what cannot be run is looked up in pyenv.
test-python-%: $(VENV)/dev.stamp
	@python=$$(command -v python$* || true); \
	if [ -z "$$python" ] || ! "$$python" -c pass 2>/dev/null; then \
	    version=$$(pyenv whence python$* 2>/dev/null | tail -n 1 || true); \
	    if [ -z "$$version" ]; then echo "python$*: not on this machine; skipped"; exit 0; fi; \
	    python=$$(PYENV_VERSION=$$version pyenv which python$*); \
	fi; \
	if [ "$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')" = $* ]; then \
	    echo "python$*: is that of $(VENV), which \`make test\` uses; skipped"; exit 0; \
	fi; \
	venv=$(VENV)-$*; \
	if [ ! $$venv/made.stamp -nt pyproject.toml ]; then \
	    echo "making $$venv ..."; \
	    "$$python" -m venv $$venv; \
	    $$venv/bin/pip install -qq -e '.[dev]'; \
	    $$venv/bin/pip install -qq -e '.[token]' || echo 'no python-pkcs11 here: the tests with a token are skipped'; \
	    touch $$venv/made.stamp; \
	fi; \
	echo "python$*: tests/unit"; \
	$$venv/bin/pytest -q -n 2 -p no:cacheprovider tests/unit

soak: $(VENV)/dev.stamp  ## play the ninety days, engines side by side, a million damaged lines (minutes)
	@CISTERNA_SOAK=1 $(BIN)/pytest -q -n 2 --dist loadfile \
	    tests/hil/test_shipped_scenarios.py tests/hil/test_engines.py tests/faults/test_damaged_input.py

check: lint test test-pythons soak test-target  ## lint and every tier of tests (under an hour on two cores)

bench: $(VENV)/bench.stamp  ## print the figures: speed, accuracy, occlusion, memory
	@$(BIN)/python tests/bench/figures.py

bench-target: $(VENV)/target.stamp image  ## print the budget of the RP2040: tick, heap, boot, step edges, size
	@$(BIN)/python tests/bench/figures.py --only chip

bench-deploy: $(VENV)/target.stamp image  ## print how long a deploy takes, and mpremote beside it
	@$(BIN)/python tests/bench/figures_of_deploy.py

image: $(VENV)/run.stamp  ## build the flashable image of the real board, both variants
	@$(BIN)/cisterna image build

image-twice: $(VENV)/run.stamp  ## prove that the same sources give the same image (minutes)
	@$(BIN)/cisterna image build --twice

lint: $(CHECKS)  ## check style, types, direction of imports, text files, changelog

lint-style: $(VENV)/dev.stamp
	@$(BIN)/ruff check -q --output-format=concise .

lint-format: $(VENV)/dev.stamp
	@$(BIN)/ruff format -q --check .

lint-types: $(VENV)/lint.stamp
	@$(PYRIGHT)

lint-firmware-types: $(VENV)/lint.stamp $(STUBS)/made.stamp
	@$(PYRIGHT) --project firmware/pyrightconfig.json

lint-imports: $(VENV)/lint.stamp
	@PYTHONPATH=firmware $(BIN)/lint-imports --no-logo --no-cache

lint-text: $(VENV)/dev.stamp
	@$(BIN)/python tests/lint/text_files.py

lint-changelog: $(VENV)/run.stamp
	@$(BIN)/python tests/lint/changelog.py

clean:  ## remove products and caches, keep the tools
	@rm -rf build .pytest_cache .ruff_cache .import_linter_cache .hypothesis host_tools/*.egg-info
	@find . -name __pycache__ -not -path './$(VENV)*' -prune -exec rm -rf {} +

# The tools, in steps so that a first run waits for no more than it needs.
$(VENV)/run.stamp: pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "PYTHON is $(PYTHON); allowed: Python 3.11 or newer (make PYTHON=/path/to/it)" >&2; exit 2; }
	@test -x $(BIN)/python || { echo "making $(VENV) ..."; "$(PYTHON)" -m venv $(VENV); }
	@$(BIN)/pip install -qq -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp
	@$(BIN)/pip install -qq -e '.[dev]'
	@$(BIN)/pip install -qq -e '.[token]' || echo 'no python-pkcs11 here: the tests with a token are skipped'
	@$(FROM_DEBIAN)
	@touch $@

$(VENV)/bench.stamp: $(VENV)/run.stamp
	@$(BIN)/pip install -qq -e '.[bench]'
	@touch $@

$(VENV)/target.stamp: $(VENV)/dev.stamp
	@$(BIN)/pip install -qq -e '.[target]'
	@touch $@

$(VENV)/lint.stamp: $(VENV)/target.stamp
	@$(BIN)/pip install -qq -e '.[lint]'
	@touch $@

# Stubs of MicroPython, in a folder of their own: beside the host's packages they would describe its `time` wrongly.
$(STUBS)/made.stamp: pyproject.toml $(VENV)/run.stamp
	@rm -rf $(STUBS)
	@$(BIN)/python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	    print(*project["optional-dependencies"]["stubs"], sep="\n")' \
	    | $(BIN)/pip install -qq --target $(STUBS) --no-deps -r /dev/stdin
	@touch $@
