# Every target sets itself up: a machine with Python 3.11 or newer and nothing else is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test check schemas bench soak readme clean

help:  ## Show what there is to do
	@sed -n 's/^\([a-z]*\):.*  ## /  make \1\t/p' $(MAKEFILE_LIST)

$(READY): pyproject.toml examples/adapter_template/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' -e examples/adapter_template
	@touch $@

demo: $(READY)  ## Plan, apply, see a conflict and undo, in a store on this machine
	$(BIN)/storebridge demo

# Processes that tests start would else compile everything anew, where bytecode isn't kept.
test soak: export PYTHONDONTWRITEBYTECODE =

test: $(READY)  ## Run the tests (the long campaigns as short slices)
	$(BIN)/python -m pytest -q -n auto --dist worksteal -m "not soak"

check: $(READY)  ## Check format, lint, types, layers, secrets and cassettes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/check_secrets.py
	$(BIN)/python tests/check_cassettes.py

schemas: $(READY)  ## Fetch Shopify's official schemas (needs npm); the tests compare with them
	$(BIN)/python tests/adapters/shopify/schema.py

bench: $(READY)  ## Measure speed and memory; prints ratios
	$(BIN)/python benchmarks/run.py

soak: $(READY)  ## Run the long fault and kill campaigns
	$(BIN)/python -m pytest -q -n auto --dist worksteal -m soak

readme: $(READY)  ## Write what the commands print into the README and docs
	$(BIN)/python -m tests.test_readme
	$(BIN)/python -m tests.test_docs

clean:  ## Remove what the targets made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
