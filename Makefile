# Two commands: make demo, make test. Both make .venv first, from pinned constraints.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OLDER := .venv-unsloth

.PHONY: demo test check pytest pytest-unsloth-set bench pictures reference clean

$(VENV)/.ready: pyproject.toml constraints.txt
	@echo "Making $(VENV): some minutes the first time"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt --editable '.[train,dev]'
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true  # on every core; pip compiles on one
	touch $@

demo: $(VENV)/.ready
	$(BIN)/rlft demo

# mypy takes one core for a minute: the tests begin beside it.
test: $(VENV)/.ready
	$(MAKE) --jobs=2 check pytest

check: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# Compiled once: where Python may not write bytecode, each of the tests' processes would compile it all.
pytest: $(VENV)/.ready
	$(BIN)/python -m compileall -q rlft_tui tests
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# The training tests with the versions that Unsloth allows: it caps TRL, transformers and datasets.
$(OLDER)/.ready: pyproject.toml constraints-unsloth.txt
	@echo "Making $(OLDER): some minutes the first time"
	$(PYTHON) -m venv $(OLDER)
	$(OLDER)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints-unsloth.txt --editable '.[train,dev]'
	touch $@

pytest-unsloth-set: $(OLDER)/.ready
	HF_HUB_OFFLINE=1 $(OLDER)/bin/python -m pytest tests/jobs

bench: $(VENV)/.ready
	$(BIN)/python -m benchmarks

pictures: $(VENV)/.ready
	$(BIN)/python docs/make_pictures.py

reference: $(VENV)/.ready
	$(BIN)/python docs/make_reference.py

clean:
	rm -rf $(VENV) $(OLDER) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
