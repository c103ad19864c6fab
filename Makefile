# Two commands: make demo, make test. Both make .venv first, from pinned constraints.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check pytest bench pictures reference clean

$(VENV)/.ready: pyproject.toml constraints.txt
	@echo "Making $(VENV): some minutes the first time"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[train,dev]'
	touch $@

demo: $(VENV)/.ready
	$(BIN)/rlft demo

test: check pytest

check: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

pytest: $(VENV)/.ready
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

bench: $(VENV)/.ready
	$(BIN)/python -m benchmarks

pictures: $(VENV)/.ready
	$(BIN)/python docs/make_pictures.py

reference: $(VENV)/.ready
	$(BIN)/python docs/make_reference.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
