# make run: open the playground.  make test: the whole suite, in two processes.  Both make .venv first.
PYTHON ?= python3
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
# Of some 15,000 modules few are ever imported: Python compiles those when they are, once, also where it was told to keep
# nothing, as images of containers do. Without what it keeps every process compiles PyTorch and Gradio anew, for seconds.
export PYTHONDONTWRITEBYTECODE :=
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable

.PHONY: run test clean

run: .venv/installed
	$(BIN)/python app.py

# Most of a test's time is waiting, for a browser or for another process. A file's tests stay together, for they share
# apps and trained runs; files go out in the order of the folder, so that the long ones, of the browser, come first.
test: .venv/installed-test
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.venv/made:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 10) and 'LM Playground needs Python 3.10 or newer; say which with: make PYTHON=python3.12')"
	$(PYTHON) -m venv .venv
	@touch $@

.venv/installed: .venv/made pyproject.toml
	$(INSTALL) .
	@touch $@

.venv/installed-test: .venv/made pyproject.toml
	$(INSTALL) ".[test]"
	@touch .venv/installed $@

clean:
	rm -rf .venv build *.egg-info
