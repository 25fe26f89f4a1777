# make demo     the exporter on a simulated ECU: http://127.0.0.1:10899/
# make test     the tests that need nothing but Python
# make coverage   the same, and which lines and branches they leave out
# make check    format, lint, types, import layers
# make integration   against a real Prometheus, InfluxDB, VictoriaMetrics and Chromium (see .ci/run)
# make integration-influxdb2   the tests with databases against InfluxDB 2, built first (go, cargo)
# make integration-prometheus3   what asks Prometheus, on 3.x out of a newer Debian (apt-get, dpkg-deb)
# make soak     a simulated week with all the faults of the simulator, in a few minutes
# make bench    speed, memory, freshness and the cost of a read beside a peer, as a table
# make dashboards   write the dashboards of grafana/dashboards anew
# make rules    write deploy/prometheus/*.rules.yml anew
# make dashboards-check   the dashboards against Grafana's own types and registries (node, npm)
# make pictures   draw dashboards (DRAWN="UID...") with Grafana's own components into docs/
# make readme   write the generated tables of the README anew

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
CODE := aps_exporter tests benchmarks grafana

FAST := not integration and not soak
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/aps-exporter-tests
INFLUXD2 := $(CACHE)/influxd-2.7.12
PROMETHEUS3 := $(CACHE)/prometheus-forky
PICTURES_APP := grafana/pictures/dist

.PHONY: demo test coverage check format integration integration-influxdb2 \
	integration-prometheus3 soak bench dashboards \
	dashboards-check pictures rules readme clean

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
	$(BIN)/python -m grafana.lint

format: $(DEV)
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

integration: $(DEV)
	$(BIN)/pytest -m "integration and not influxdb2"

integration-influxdb2: $(DEV) $(INFLUXD2)
	INFLUXD2=$(INFLUXD2) $(BIN)/pytest -m influxdb2

integration-prometheus3: $(DEV) $(PROMETHEUS3)
	PROMETHEUS=$(PROMETHEUS3)/prometheus PROMTOOL=$(PROMETHEUS3)/promtool \
		$(BIN)/pytest tests/integration/dashboards tests/integration/test_alert.py \
		tests/integration/test_blocks.py tests/integration/test_lifetime_increase.py \
		tests/integration/test_prometheus.py tests/rules

soak: $(DEV)
	$(BIN)/pytest -m soak

bench: $(DEV)
	$(BIN)/python -m benchmarks

dashboards: $(DEV)
	$(BIN)/python -m grafana

rules: $(DEV)
	$(BIN)/python -m grafana.rules

dashboards-check: grafana/checks/node_modules/.package-lock.json
	cd grafana/checks && npm run --silent check

pictures: $(DEV) $(PICTURES_APP)/index.html
	$(BIN)/python -m tests.integration.draw_dashboards $(PICTURES_APP) grafana/dashboards docs \
		$(DRAWN)

$(PICTURES_APP)/index.html: grafana/pictures/node_modules/.package-lock.json \
		$(wildcard grafana/pictures/*.* grafana/pictures/src/*)
	cd grafana/pictures && npm run --silent build

readme: $(DEV)
	$(BIN)/python -m tests.readme_tables

clean:
	rm -rf $(VENV) build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache \
		.import_linter_cache

# Not npm ci: that wants rollup's builds for all platforms, which not every registry has.
grafana/pictures/node_modules/.package-lock.json: grafana/pictures/package-lock.json
	cd grafana/pictures && npm install --no-save --ignore-scripts --no-audit --no-fund
	touch $@

%/node_modules/.package-lock.json: %/package-lock.json
	cd $* && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

$(PROMETHEUS3):
	tests/integration/unpack_prometheus.sh forky $@

$(INFLUXD2):
	tests/integration/build_influxd2.sh $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(RUN): pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --editable .
	touch $@

$(DEV): pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@ $(RUN)
