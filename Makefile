# Everything a newcomer, a developer or CI runs. `make` alone lists the targets.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
# warnings of pip about itself help nobody here
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-faults test-browser check format bench clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/demo ## install neocog and train the default recipe on MNIST
	$(BIN)/neocog train fast

test: .venv/test ## run the tests: no network, no GPU, under three minutes on two cores
	$(BIN)/python -m pytest -n auto --dist loadfile

test-slow: .venv/test ## run the tests that take longer than a few seconds, too
	$(BIN)/python -m pytest -m "not gpu and not network and not browser and not faults"

test-faults: .venv/test ## kill, fill, cut, flip and flood it for half an hour (a small disk needs root)
	$(BIN)/python -m pytest -n auto --maxschedchunk 1 -m faults -rs

test-browser: .venv/browser ## look at a report in the chromium that is there (or CHROMIUM=place)
	$(BIN)/python -m pytest -m browser -rs tests/insight/test_report_in_browser.py

check: .venv/dev ## lint, format, types, and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/dev ## let ruff put the code in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/demo ## measure every figure of the README again (about an hour)
	$(BIN)/python -m benchmarks

clean: ## remove what make made; runs stay
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# without the package python3-venv, Debian's Python makes a .venv that has no pip
.venv/demo: pyproject.toml constraints.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv >/dev/null || \
		{ echo "$(PYTHON) can't make .venv; on Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@echo "installing neocog into .venv (the first time takes a minute)"
	$(PIP) -e .
	@touch $@

.venv/test: .venv/demo
	$(PIP) -e '.[test,digits,photographs]'
	@touch $@

.venv/browser: .venv/test
	$(PIP) -e '.[browser]'
	@touch $@

.venv/dev: .venv/test
	$(PIP) -e '.[dev]'
	@touch $@
