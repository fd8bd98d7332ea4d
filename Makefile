# Everything needs Python 3.11+, git and make; the rest is installed into .venv on the first call.
PYTHON ?= python3
PYTEST ?= -n auto --dist loadfile --no-loadscope-reorder --ignore tests/e2e
BIN := $(CURDIR)/.venv/bin
READY := .venv/.ready

export PATH := $(BIN):$(PATH)
unexport VIRTUAL_ENV

.PHONY: help setup demo down test check bench picture
help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## Install mlops-scaffold and what its tests need into .venv
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'error: Python 3.11 or newer is needed'; echo '   try: make $(MAKECMDGOALS) PYTHON=python3.12'; exit 1; }
	@$(PYTHON) -m venv .venv || \
	  { echo 'error: Python cannot make a virtual environment'; echo '   try: apt install python3-venv'; exit 1; }
	@echo 'setting up .venv (once)'
	@$(BIN)/pip install -q --disable-pip-version-check uv
	@$(BIN)/uv pip install -q --python $(BIN)/python -e '.[dev]'
	@touch $@

demo: $(READY)  ## A new project, shipped to production on this machine, and one prediction
	@$(BIN)/python scripts/demo.py

down:  ## Stop what `make demo` started
	@$(MAKE) --no-print-directory -C demo/churn-model down

test: $(READY)  ## Run the whole test suite
	$(BIN)/python -m pytest $(PYTEST)
	@# Real servers under load: one test at a time, or they would measure each other.
	$(BIN)/python -m pytest tests/e2e

check: $(READY)  ## Run formatter, linter and type checker over this repository
	pre-commit run --all-files

bench: $(READY)  ## Measure, side by side with peers (takes minutes)
	$(BIN)/python -m benchmarks

picture: $(READY)  ## Draw docs/demo.svg anew, from a real terminal
	@$(BIN)/python scripts/picture.py
