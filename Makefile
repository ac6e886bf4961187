# The commands of SpeechAI. `make` alone lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.complete
PINNED := requirements.txt requirements-embedded.txt requirements-dev.txt

.PHONY: help install run demo test lint types unit integration e2e bench examples requirements clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z][a-z0-9 -]*:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Make .venv, complete

$(STAMP): $(PINNED) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make install PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check $(addprefix -r ,$(PINNED))
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

run: $(STAMP) ## The stack to keep: panel, workers, Beat, Flower
	@exec $(BIN)/speechai up

demo: $(STAMP) ## Call everyone in the example workbook, simulated
	@exec $(BIN)/speechai demo

test: lint types ## Lint, types and every test, on real servers it starts itself
	$(BIN)/pytest tests/unit tests/integration --numprocesses auto --dist loadscope --cov --cov-report=term:skip-covered $(PYTEST)
	$(BIN)/pytest tests/e2e $(PYTEST)

lint: $(STAMP) ## Style and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(STAMP) ## Types
	$(BIN)/mypy

unit integration e2e: $(STAMP) ## One level of the tests
	$(BIN)/pytest tests/$@ $(PYTEST)

bench: $(STAMP) ## Every measured claim, each with its ratio
	@missed=0; for bench in bench/*.py; do echo "== $$bench"; $(BIN)/python $$bench || missed=1; done; exit $$missed

examples: $(STAMP) ## Make the example workbooks anew
	$(BIN)/python examples/generate.py

requirements: $(STAMP) ## Compile the pinned requirements from the .in files
	@for name in $(PINNED:.txt=); do \
	  CUSTOM_COMPILE_COMMAND="make requirements" $(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url \
	    --no-emit-trusted-host --no-emit-find-links $$name.in -o $$name.txt; done

clean: ## Remove what was made, but var/ with its data
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
