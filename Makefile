# The project's commands; `make help` lists them. They need Python 3.11 or newer, pip and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable
IMAGE ?=
ARGS ?=
export IMAGE

.PHONY: help demo test check bench reader-wheel fuzz clean
.DEFAULT_GOAL := help

help:
	@echo "make demo [IMAGE=photo.jpg]    read the words of the example images and of your own; results in out/demo"
	@echo "make test [ARGS='-k decode']   run the tests (pytest gets ARGS)"
	@echo "make check                     ruff, format, mypy, import direction"
	@echo "make bench [ARGS='stages']     run the quick benchmarks, write their tables into benchmarks/RESULTS.md"
	@echo "make reader-wheel              dist/tcm_hf_reader-*.whl: the reader without torch, with its models"
	@echo "make fuzz                      attack what reads files with atheris, a minute a target"
	@echo "make clean                     remove .venv, caches and out/"
	@echo
	@echo "Each sets up .venv when it is missing or pyproject.toml has changed; PYTHON=python3.12 chooses the interpreter."

# IMAGE is one path (spaces are fine), or several paths, folders or patterns with a space between them.
demo: $(VENV)/.package
	@if [ -e "$$IMAGE" ]; then set -- "$$IMAGE"; else set -- $$IMAGE; fi; \
	$(BIN)/python -m tcm_hf read examples/images "$$@" --print --output out/demo --format json --draw out/demo/drawn
	@echo "Words and polygons: $(CURDIR)/out/demo/*.json"
	@echo "Pictures: $(CURDIR)/out/demo/drawn/*.jpg"

# One process a core (four at most, each holds PyTorch), each with one thread; ARGS="-n 0" is one process, for debuggers.
test: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

check: $(VENV)/.dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m pytest --quiet tests/test_architecture.py

# ARGS are names of sections; all that are quick otherwise.
bench: $(VENV)/.test
	$(BIN)/python benchmarks/write_results.py $(ARGS)

# The reader without torch, with the shipped models in it. They lie in the source while the wheel is built.
reader-wheel: $(VENV)/.test
	$(BIN)/tcm-hf export fasttcm-dbnet-tiny src/tcm_hf/onnx_reader/model --recognizer clip4str-tiny
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist packages/reader
	rm -rf src/tcm_hf/onnx_reader/model packages/reader/build src/tcm_hf_reader.egg-info

# Where atheris installs (Linux, macOS). ARGS: see fuzzing/README.md.
fuzz: $(VENV)/.test
	$(BIN)/python -m pip install --quiet atheris
	$(BIN)/python fuzzing/run.py --seconds 60 $(ARGS)

clean:
	rm -rf $(VENV) build dist out src/*.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find src tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp says that the package is installed with the extras of its name, from this pyproject.toml.
$(VENV)/.package: pyproject.toml | $(BIN)/python
	@echo "Installing tcm_hf into $(VENV) (the first time this downloads PyTorch and takes some minutes) ..."
	@$(PIP_INSTALL) .
	@touch $@

$(VENV)/.test $(VENV)/.dev: $(VENV)/.%: pyproject.toml | $(BIN)/python
	@echo "Installing tcm_hf[$*] into $(VENV) (the first time this downloads PyTorch and takes some minutes) ..."
	@$(PIP_INSTALL) '.[$*]'
	@touch $@ $(VENV)/.package

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "tcm_hf needs Python 3.11 or newer, and '$(PYTHON)' is none." \
	       "Install one, or name it: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "'$(PYTHON) -m venv' failed: on Debian and Ubuntu, apt install python3-venv." >&2; exit 1; }
