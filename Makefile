PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable
# The variable, unlike the option, holds for the build back end too.
export PIP_CONSTRAINT := constraints.txt

.PHONY: help demo test check format slow explore docs bench clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' Makefile

demo: .venv/plain  ## table, findings, training and pictures on bundled digits, in under a minute
	$(BIN)/depthwise demo

test: check  ## everything that CI runs
	$(BIN)/pytest -n 2 -m "not slow"

check: .venv/dev  ## lint, format, types, architecture
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: .venv/dev  ## mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

slow: .venv/dev  ## the tests that take minutes
	$(BIN)/pytest -m slow

explore: .venv/dev  ## the property tests on examples that nobody has seen
	HYPOTHESIS_PROFILE=explore $(BIN)/pytest -n 2 -m "not slow"

docs: .venv/plain  ## the generated pages of docs/
	$(BIN)/python docs/generate.py

bench: .venv/plain  ## every speed claim, measured on this machine
	@set -e; for script in benchmarks/*.py; do echo "$$script"; $(BIN)/python "$$script"; done

clean:  ## remove what was made, the environment too
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# One environment, two stamps: the demo does not wait for the tools of the house.
.venv/plain: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing depthwise into .venv (once; torch is large)"
	@$(INSTALL) .
	@touch $@

.venv/dev: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing depthwise and its tools into .venv (once; torch is large)"
	@$(INSTALL) '.[dev]'
	@touch .venv/plain $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("depthwise needs Python 3.11 or newer, this is %d.%d: make PYTHON=python3.11" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv
