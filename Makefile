# Everything needs Python 3.11+, git and make; the rest is installed into .venv on the first call.
PYTHON ?= python3
# Real servers under load, kills and deadlines: one test at a time, or they would measure each other.
ALONE := $(addprefix tests/e2e/test_,deploy.py accidents.py clients.py proxy.py)
# What proves an installation: the whole road of a project, and the update's verbs.
QUICK := $(addprefix tests/,e2e/test_demo.py commands/test_status.py commands/test_undo.py)
PYTEST ?= -n auto --dist loadfile --no-loadscope-reorder $(addprefix --ignore ,$(ALONE))
VENV ?= .venv
BIN := $(CURDIR)/$(VENV)/bin
READY := $(VENV)/.ready
# The versions that the tests know. With NEWEST set, to anything, they take what the world has.
KNOWN := tests/constraints.txt
WITHIN := $(if $(NEWEST),,--constraint $(KNOWN))

export PATH := $(BIN):$(PATH)
export NEWEST
unexport VIRTUAL_ENV

.PHONY: help setup demo down test quick newest constraints check bench picture
help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## Install mlops-scaffold and what its tests need into .venv
$(READY): pyproject.toml $(KNOWN)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'error: Python 3.11 or newer is needed'; echo '   try: make $(MAKECMDGOALS) PYTHON=python3.12'; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo 'error: Python cannot make a virtual environment'; echo '   try: apt install python3-venv'; exit 1; }
	@echo 'setting up $(VENV) (once)'
	@$(BIN)/pip install -q --disable-pip-version-check $(WITHIN) uv
	@$(BIN)/uv pip install -q --python $(BIN)/python $(WITHIN) -e '.[dev]'
	@touch $@

demo: $(READY)  ## A new project, shipped to production on this machine, and one prediction
	@$(BIN)/python scripts/demo.py

down:  ## Stop what `make demo` started
	@$(MAKE) --no-print-directory -C demo/churn-model down

test: $(READY)  ## Run the whole test suite
	@$(BIN)/python scripts/before_tests.py
	@export TEST_RUN="$$(mktemp -d)" && trap 'rm -rf "$$TEST_RUN"' EXIT && \
	  export TEST_SCAFFOLD_CACHE="$$TEST_RUN/cache" && mkdir "$$TEST_SCAFFOLD_CACHE" && \
	  $(BIN)/python -m pytest $(PYTEST) && $(BIN)/python -m pytest $(ALONE)

quick: $(READY)  ## Does it work here? A project made, shipped, asked, updated: two minutes
	@$(BIN)/python -m pytest -q $(QUICK)

newest:  ## The same tests with the newest of every package: where a change of the world shows
	@rm -rf .venv-newest
	@$(MAKE) --no-print-directory test VENV=.venv-newest NEWEST=1

constraints: $(READY)  ## Let the tests know the newest versions from now on
	@$(BIN)/python scripts/constraints.py
	@git diff --stat -- $(KNOWN)

check: $(READY)  ## Run formatter, linter and type checker over this repository
	pre-commit run --all-files

bench: $(READY)  ## Measure, side by side with peers (takes minutes)
	$(BIN)/python -m benchmarks

picture: $(READY)  ## Draw docs/demo.svg anew, from a real terminal
	@$(BIN)/python scripts/picture.py
