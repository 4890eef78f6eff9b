# Every target sets up what it needs; PYTHON names the interpreter (3.11 or newer).
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
JOBS   ?= auto

.DEFAULT_GOAL := help
.PHONY: help setup demo test chaos check bench cover format lock vendor clean

help: ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Kopir needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@

setup: $(VENV)/.dev ## Make .venv with everything development needs

demo: $(VENV)/.runtime ## Run the rehearsal LMS, Kopir and the rehearsal journal side by side
	$(BIN)/kopir demo

test: $(VENV)/.dev ## Run the tests (services that are absent are skipped, by name)
	$(BIN)/python -m pytest -n $(JOBS)

EXAMPLES ?= 5000
KILLS    ?= 200
SEED     ?= 20261122

chaos: $(VENV)/.dev ## Kill, cut and spoil for long: 5,000 random years and 200 kills, with a report
	KOPIR_EXAMPLES=$(EXAMPLES) KOPIR_STEPS=20 KOPIR_KILLS=$(KILLS) KOPIR_SEED=$(SEED) \
	$(BIN)/python -m pytest -s tests/properties/test_machine.py tests/chaos tests/reconcile/test_one_cell_model.py --timeout 0 --durations 5

cover: $(VENV)/.dev ## Run the tests and report branch coverage
	rm -f .coverage .coverage.*
	$(BIN)/python -m pytest -n $(JOBS) --cov --cov-report=term

check: $(VENV)/.dev ## Format, lint, types, layers and docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python scripts/check_docs.py

format: $(VENV)/.dev ## Format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The peers live in an environment of their own and never enter the product's.
$(VENV)-bench/.ready: requirements/runtime.lock requirements/bench.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.lock
	$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.lock
	$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# ltijs needs node; where there is none, its figures are left empty.
LTIJS := benchmarks/peers/ltijs
$(LTIJS)/node_modules/.ready: $(LTIJS)/package-lock.json
	if command -v npm >/dev/null; then npm ci --prefix $(LTIJS) --silent --ignore-scripts --no-audit --no-fund && touch $@; fi

bench: $(VENV)-bench/.ready $(LTIJS)/node_modules/.ready ## Measure speed as ratios to a peer; writes benchmarks/results.json
	$(VENV)-bench/bin/python -m benchmarks

lock: | $(BIN)/python ## Pin every dependency anew, with hashes
	$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/pip install --quiet uv
	$(VENV)-lock/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra build pyproject.toml -o requirements/runtime.lock
	$(VENV)-lock/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra build --extra dev -c requirements/runtime.lock pyproject.toml -o requirements/dev.lock
	$(VENV)-lock/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -c requirements/runtime.lock requirements/bench.in -o requirements/bench.lock

vendor: ## Fetch the front-end files anew from their npm packages
	$(PYTHON) scripts/vendor.py

clean: ## Remove what the other targets made
	rm -rf $(VENV) $(VENV)-lock $(LTIJS)/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* build dist
