# `make` lists what there is. Everything happens in .venv, which is made at need and can be deleted at any time.
PYTHON ?= python3
EPOCHS ?= 3
SEEDS ?= 3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# The demo and the tests report to nobody.
export MLFLOW_DISABLE_TELEMETRY := true
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Packages are compiled when first imported: kept, that is done once; else each start takes twice the time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test ui results docs bench calibrate check lint format lock clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

$(READY): requirements.txt requirements-dev.txt requirements-ray.txt requirements-mcp.txt requirements-trackers.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make: error: $(PYTHON) is not Python 3.11 or newer; name one that is: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@test -d $(VENV) && echo "Bringing the environment $(VENV) up to date." || \
	  echo "Making the environment $(VENV): downloads about 3.5 GB on Linux (PyTorch with CUDA), 0.6 GB on macOS. Once; some minutes."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-compile -r requirements.txt -r requirements-dev.txt -r requirements-ray.txt -r requirements-mcp.txt -r requirements-trackers.txt -c constraints.txt
	@touch $@

demo: $(READY) ## train the four published configurations for a few epochs with three seeds each, and compare them
	@echo "mlflow run . --env-manager local -e study -P design=published -P seeds=$(SEEDS) -P epochs=$(EPOCHS)"
	@MLFLOW_LOGGING_LEVEL=ERROR mlflow run . --env-manager local -e study -P design=published -P seeds=$(SEEDS) -P epochs=$(EPOCHS)
	@echo
	@echo "The report:   report/published/report.html"
	@echo "MLflow's UI:  make ui"
	@echo "Next, try:    source $(BIN)/activate && mlflow run . --env-manager local -P l1=0.0001 -P epochs=$(EPOCHS) && python -m analysis rank --allow seeds"

test: $(READY) ## run the tests that need neither a network nor minutes
	@python -m pytest -q -n auto --maxprocesses 4 --dist loadfile $(PYTEST_FLAGS)

ui: $(READY) ## open MLflow's UI on this folder's store, on a free port
	@port=$$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'); \
	  echo "Your training runs: http://127.0.0.1:$$port/#/experiments/$${MLFLOW_EXPERIMENT_ID:-0}/runs?workflowType=machine_learning (Ctrl-C ends MLflow's UI)"; exec mlflow ui --host 127.0.0.1 --port $$port

results: $(READY) ## write the reports in results/ and the README's picture anew, from the committed snapshots
	@python -m results.rebuild

docs: $(READY) ## build the documentation as a site, into site/index.html; a broken link is an error
	@NO_MKDOCS_2_WARNING=1 mkdocs build --strict

bench: $(READY) ## measure speed on full MNIST: ten minutes on an idle machine; into benchmarks/RESULTS.md
	@python -m benchmarks > benchmarks/.results || { rm benchmarks/.results; exit 2; }
	@mv benchmarks/.results benchmarks/RESULTS.md && cat benchmarks/RESULTS.md

calibrate: $(READY) ## simulate studies whose truth is known: how often is the analysis wrong? Into benchmarks/CALIBRATION.md
	@python -m benchmarks.calibrate > benchmarks/.calibration || { rm benchmarks/.calibration; exit 2; }
	@mv benchmarks/.calibration benchmarks/CALIBRATION.md && cat benchmarks/CALIBRATION.md

check: lint docs ## everything that CI checks, but for the tests with markers
	@$(MAKE) --no-print-directory test PYTEST_FLAGS="--cov --cov-report=term"

lint: $(READY) ## format, rules, types, layers
	@ruff format --check .
	@ruff check .
	@pyright
	@lint-imports

format: $(READY) ## format the code
	@ruff format .
	@ruff check --fix .

lock: ## write the versions in .venv to constraints.txt
	@$(BIN)/pip freeze --exclude-editable | sed -E 's/\+[a-z0-9]+$$//' > constraints.txt

clean: ## remove the environment, the report and caches; runs and data stay
	@rm -rf $(VENV) report .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage build *.egg-info
