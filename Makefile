# make demo     the exporter on a simulated ECU: http://127.0.0.1:10899/
# make test     the tests that need nothing but Python
# make coverage   the same, and which lines and branches they leave out
# make check    format, lint, types, import layers
# make integration   against a real Prometheus, InfluxDB, VictoriaMetrics and Chromium (see .ci/run)
# make soak     a simulated week with all the faults of the simulator, in a few minutes
# make bench    speed, memory, freshness and the cost of a read beside a peer, as a table
# make readme   write the generated tables of the README anew

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
CODE := aps_exporter tests benchmarks

FAST := not integration and not soak

.PHONY: demo test coverage check format integration soak bench readme clean

demo: $(RUN)
	$(BIN)/aps-exporter demo

test: $(DEV)
	$(BIN)/pytest -m "$(FAST)" --numprocesses auto

coverage: $(DEV)
	$(BIN)/pytest -m "$(FAST)" --numprocesses auto --cov

check: $(DEV)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV)
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

integration: $(DEV)
	$(BIN)/pytest -m integration

soak: $(DEV)
	$(BIN)/pytest -m soak

bench: $(DEV)
	$(BIN)/python -m benchmarks

readme: $(DEV)
	$(BIN)/python -m tests.readme_tables

clean:
	rm -rf $(VENV) build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache \
		.import_linter_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(RUN): pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --editable .
	touch $@

$(DEV): pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@ $(RUN)
