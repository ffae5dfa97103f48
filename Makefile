# Every target does its own set-up: a virtual environment in .venv with pinned packages.
# `make demo` and `make test` work in a fresh clone with python3 (3.11 or newer) and make.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXTRAS := clip,reward,gpt,claude,train,eval,parquet,remote,postgres,report,neighbours,map,browse,miniature,docs,dev
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
# Two, and not one for each core: every worker loads torch and builds the tiny models it needs.
# Nothing may depend on who runs what, so a worker that is done takes tests from the other.
WORKERS ?= 2
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal
PYTEST_ARGS ?=
# Further extras, as in `make test MORE=ptb,ray`; they count when .venv is made.
MORE ?=
comma := ,
MINIATURE_ARGS ?=
DEMO_PAGE := ig4-demo/selected-balanced/llava-report.html
ARENA_ARGS ?=

.PHONY: demo miniature arena test quick lint types check web format bench docs clean

demo: $(STAMP)
	$(BIN)/ig4 demo

# The whole method, from making a base model to the tables: about a quarter of an hour.
miniature: $(STAMP)
	$(BIN)/python examples/miniature/miniature.py $(MINIATURE_ARGS)

# Which way to select helps, in worlds where the truth is known: more than half an hour.
arena: $(STAMP)
	$(BIN)/python examples/arena/arena.py $(ARENA_ARGS)

test: lint types check

# For while you work: the fast tests of the folders in which you changed something since a commit.
SINCE ?= HEAD
quick: lint types
	touched=$$($(BIN)/python tests/touched.py $(SINCE)) && \
	$(PYTEST) -m "not slow" $(PYTEST_ARGS) $$touched

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy -p ig4

check: $(STAMP)
	$(PYTEST) $(PYTEST_ARGS)

# The types of the pages' own JavaScript. For developers: to install and to use ig4 takes no Node.
web:
	cd web && npm ci --no-audit --no-fund && npm run --silent check

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)
	@set -e; for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script; done

# What the pictures show.
$(DEMO_PAGE): | $(STAMP)
	$(BIN)/ig4 demo --quiet

# The pages of docs/, with commands, options and pictures made from ig4 itself.
docs: $(STAMP) $(DEMO_PAGE)
	$(BIN)/python docs/screenshots.py docs/screenshots.toml docs/screens
	$(BIN)/python -m sphinx -b html -n -W --keep-going -q docs build/docs
	@echo "Open build/docs/index.html"

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The stamp is written last, so that an interrupted installation is taken up again.
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { \
		echo "ig4 needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing ig4 and its libraries into $(VENV): a few minutes, about 6 GB with torch."
	$(BIN)/python -m pip install --progress-bar off --disable-pip-version-check -c constraints.txt -e ".[$(EXTRAS)$(addprefix $(comma),$(MORE))]"
	@touch $@
