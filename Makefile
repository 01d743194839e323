# Three commands, each a nox session; nox itself lives in .venv. `make PYTHON=python3.12 demo` takes another Python (after
# `make clean`, if there has been one).
PYTHON ?= python3
VENV := .venv
NOX := $(VENV)/bin/nox

.PHONY: demo test lint clean help
help:
	@echo "make demo   build the wheels, install them with pip into a fresh environment, and show what is loaded"
	@echo "make test   run the whole test suite"
	@echo "make lint   run the linters and type checkers"
	@echo "make clean  remove everything that was built"

demo test lint: $(NOX)
	@$(NOX) --session $@

$(NOX): Makefile
	@command -v $(PYTHON) >/dev/null || \
	  { echo "$(PYTHON) is not there; name a Python: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or later is needed; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "setting up nox in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "$(PYTHON) -m venv failed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check "nox[uv]>=2025.5" "virtualenv<22"
	@touch $@

clean:
	rm -rf build dist .nox $(VENV)
