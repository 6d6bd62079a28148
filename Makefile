# Each target makes the virtual environment that it needs, and makes it again when the
# requirements change. Nothing else is needed than Python 3.11 or newer with pip, and make.

PYTHON ?= python3
VENV := .venv
DEMO := .venv-demo
BIN := $(VENV)/bin
PIP_INSTALL := -m pip install -qq --disable-pip-version-check
CONSTRAINED := $(PIP_INSTALL) --constraint constraints.txt
# Downloads of a hundred megabytes are cut off at times: a command that fails is tried twice more.
AGAIN := again() { for pause in 5 30 last; do "$$@" && return; [ $$pause = last ] || sleep $$pause; \
    done; return 1; }; again
export PIP_RETRIES := 10
export PIP_RESUME_RETRIES := 20
REQUIREMENTS := pyproject.toml constraints.txt
PYTEST_WORKERS ?= auto
PYTEST_ARGS ?=
RELEASES ?= 1.7.2 1.8.0
RELEASE_TESTS := $(addprefix tests/adapters/test_,sklearn.py sklearn_own.py sklearn_refused.py \
    sklearn_bounds.py frames.py halves.py versions.py)

.PHONY: help demo test test-slow test-releases fuzz lint format bench bench-scan coverage clean check-python
.DEFAULT_GOAL := help

help:
	@echo "make demo       train, save, sign, verify, load, and a refusal, in a minute"
	@echo "make test       the tests, without the slow matrices"
	@echo "make test-slow  the slow matrices"
	@echo "make test-releases  the adapter for scikit-learn with older releases of it"
	@echo "make fuzz       each fuzz target for twenty seconds, where there is atheris"
	@echo "make lint       ruff, mypy, import-linter, deptry"
	@echo "make coverage   tests with branch coverage; format, bundle and trust need 95 %"
	@echo "make bench      the benchmarks, into benchmarks/RESULTS.md"
	@echo "make bench-scan the scanner against others, into benchmarks/RESULTS.md"
	@echo "make clean      remove the virtual environments and caches"

demo: $(DEMO)/stamp
	@$(DEMO)/bin/python examples/demo.py

test: $(VENV)/stamp
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadgroup -m "not slow" $(PYTEST_ARGS)

test-slow: $(VENV)/stamp
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadgroup -m slow $(PYTEST_ARGS)

test-releases: $(RELEASES:%=.venv-sklearn-%/stamp)
	@set -e; for release in $(RELEASES); do \
	    echo "scikit-learn $$release"; \
	    .venv-sklearn-$$release/bin/python -m pytest -n $(PYTEST_WORKERS) -m "not slow" \
	        $(RELEASE_TESTS) $(PYTEST_ARGS); \
	done

fuzz: $(VENV)/fuzz-stamp
	$(BIN)/python -m pytest tests/fuzz -m slow $(PYTEST_ARGS)

lint: $(VENV)/stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/deptry safemodel

format: $(VENV)/stamp
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

coverage: $(VENV)/stamp
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadgroup -m "not slow" --cov --cov-report= $(PYTEST_ARGS)
	$(BIN)/coverage report
	$(BIN)/coverage report --fail-under=95 \
	    --include='safemodel/format/*,safemodel/bundle/*,safemodel/trust/*'

bench: $(VENV)/bench-stamp
	$(BIN)/python -m benchmarks

# Makes an environment for each of the others in .venv-peers.
bench-scan: $(VENV)/bench-stamp
	$(BIN)/python -m benchmarks.scanning

clean:
	rm -rf $(VENV) $(DEMO) .venv-peers .venv-sklearn-* build dist .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis

check-python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "safemodel needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..." >&2; exit 2; }

$(DEMO)/stamp: $(REQUIREMENTS) | check-python
	@echo "making $(DEMO) (half a minute, once)"
	@$(PYTHON) -m venv --clear $(DEMO)
	@$(AGAIN) $(DEMO)/bin/python $(CONSTRAINED) --editable '.[sklearn]'
	@touch $@

# Dependency groups need pip 25.1. torch only where constraints.txt names a CPU build, and its
# absence is no failure here: the tests that need it are skipped, unless SAFEMODEL_TEST_REQUIRE
# names it.
$(VENV)/stamp: $(REQUIREMENTS) | check-python
	@echo "making $(VENV) (a minute or two, once)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(AGAIN) $(BIN)/python $(CONSTRAINED) --upgrade 'pip>=25.1'
	@$(AGAIN) $(BIN)/python $(CONSTRAINED) --editable '.[convert,fickling,numpy,sklearn]' --group dev \
	    --group test-models
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' && \
	    { $(AGAIN) $(BIN)/python $(CONSTRAINED) --group test-torch || \
	      echo "no CPU build of torch at hand: its tests will be skipped" >&2; } || true
	@touch $@

# All of constraints.txt but scikit-learn itself.
.venv-sklearn-%/stamp: $(REQUIREMENTS) | check-python
	@echo "making $(@D) (a minute, once)"
	@$(PYTHON) -m venv --clear $(@D)
	@grep -v '^scikit-learn==' constraints.txt >$(@D)/constraints.txt
	@$(AGAIN) $(@D)/bin/python $(CONSTRAINED) --upgrade 'pip>=25.1'
	@$(AGAIN) $(@D)/bin/python $(PIP_INSTALL) \
	    --constraint $(@D)/constraints.txt --editable '.[numpy,sklearn]' --group test \
	    'scikit-learn==$*'
	@touch $@

$(VENV)/bench-stamp: $(VENV)/stamp
	@$(AGAIN) $(BIN)/python $(CONSTRAINED) --group bench
	@touch $@

# No atheris for this Python, no fuzzing: the test says so.
$(VENV)/fuzz-stamp: $(VENV)/stamp
	@$(BIN)/python $(CONSTRAINED) --group fuzz || echo "no atheris at hand" >&2
	@touch $@
