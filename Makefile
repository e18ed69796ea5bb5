# Each target does its own set-up on a fresh Debian 12 or 13 machine; see README.md.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
VENV := .venv/bin
PYTEST := $(VENV)/pytest -p no:cacheprovider
export ROPEWALK_STATE ?= $(CURDIR)/.state/ropewalk

.DEFAULT_GOAL := help
.PHONY: help setup venv demo demo-full demo-stop test check unit system long corpus bench docs lock clean

help: ## say what each target does
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

setup: ## install Debian packages (root or sudo) and the Python environment in .venv
	@scripts/setup

venv: ## the Python environment alone: no root, no Debian packages
	@scripts/setup --venv

demo-stop: ## end what `make demo KEEP=1` left up
	@scripts/as-root $(VENV)/python scripts/demo.py --stop

demo: setup ## the main job: build, publish, sign, list, renew, enforce (KEEP=1 leaves registry and node up)
	@scripts/as-root $(VENV)/python scripts/demo.py $(if $(KEEP),--keep)

demo-full: setup ## build and test the whole example tree, with the figures of each image
	@scripts/as-root $(VENV)/python scripts/demo.py --full

test: setup ## all tests: checks, unit tests, system tests on real packages
	@$(MAKE) --no-print-directory check
	@ROPEWALK_STATE=$(CURDIR)/.state/test scripts/as-root $(PYTEST) -q tests/system -m "system and not long and not corpus"

check: venv ## lint, types, layers, sizes, unit tests: under a minute, no network, no root
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy
	@$(VENV)/lint-imports
	@$(VENV)/python scripts/house.py
	@$(VENV)/python scripts/docs.py --check
	@$(PYTEST) -q -n 2 tests/unit

long: setup ## what takes longer than `make test` may
	@ROPEWALK_STATE=$(CURDIR)/.state/test scripts/as-root $(PYTEST) -q tests -m long || [ $$? -eq 5 ]

corpus: setup ## what needs a peer's repository: ROPEWALK_CORPUS=DIR make corpus
	@: $${ROPEWALK_CORPUS:?say where the peers\' repositories are: ROPEWALK_CORPUS=DIR make corpus}
	@scripts/as-root $(PYTEST) -q tests -m corpus || [ $$? -eq 5 ]

bench: setup ## Ropewalk beside its peers, ratios
	@scripts/as-root $(VENV)/python bench/base.py
	@scripts/as-root $(VENV)/python bench/tree.py
	@scripts/as-root $(VENV)/python bench/plan.py
	@scripts/as-root $(VENV)/python bench/reproducible.py

docs: venv ## write the generated reference pages
	@$(VENV)/python scripts/docs.py

lock: ## solve requirements.lock anew (needs PyPI)
	@scripts/lock

clean: ## remove the state below this checkout (images, pool, keys of the demo)
	@scripts/as-root rm -rf .state
