# Two commands are enough on a fresh machine with Python 3.11 or later: make demo, make test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PLUGINS := $(sort $(wildcard plugins/*))
STAMP := $(VENV)/.installed

.PHONY: demo test lint bench table docs slow clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

# torch comes first: constraints.txt pins the build that everything else then finds installed.
$(STAMP): $(BIN)/python constraints.txt pyproject.toml $(wildcard plugins/*/pyproject.toml)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable . $(addprefix --editable ,$(PLUGINS)) --group dev
	touch $@

demo: $(STAMP)
	rm -rf runs/demo
	$(BIN)/genframe train vae-digits --run runs/demo

test: $(STAMP) lint
	$(BIN)/python -m pytest --numprocesses 2

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy genframe $(foreach plugin,$(PLUGINS),$(plugin)/$(subst -,_,$(notdir $(plugin))))

slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

bench: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group peers
	$(BIN)/python -W ignore -m tests.benchmarks --out docs/benchmarks.json

table: $(STAMP)
	$(BIN)/genframe table docs/table.yaml --jobs 2 --out docs/table.md
	test ! -d fashion-mnist || $(BIN)/genframe table docs/table-fashion.yaml --jobs 2 --out docs/table-fashion.md

docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group docs
	$(BIN)/sphinx-build --fail-on-warning --keep-going -b html docs docs/_build/html

clean:
	rm -rf $(VENV) build docs/_build
