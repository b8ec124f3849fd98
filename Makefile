# The commands of MailApe. `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help run test test-embedded test-postgres test-pythons lint format lock venv chaos pictures bench simulate mutants messages

# The interpreter to make .venv with: make run PYTHON=python3.13
PYTHON ?=
# What pytest is told besides: make test ARGS="-k confirm"
ARGS ?=

ready_to_run = PYTHON='$(PYTHON)' requirements/venv.sh run
ready_to_test = PYTHON='$(PYTHON)' requirements/venv.sh dev
# When make itself is killed with -9, what it started gets a SIGTERM and takes its children along.
leash := $(shell setpriv --pdeathsig TERM true 2>/dev/null && echo setpriv --pdeathsig TERM)
house = $(ready_to_test) && exec $(leash) .venv/bin/python -m tests.house

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

run: ## MailApe on this machine: http://127.0.0.1:8000, Ctrl-C stops it
	@$(ready_to_run)
	@exec $(leash) .venv/bin/mailape up

test: ## everything on both stacks, and the journeys; ARGS="-k confirm" picks tests
	@$(house) all $(ARGS)

test-embedded: ## the tests on SQLite and the embedded broker only
	@$(house) embedded $(ARGS)

test-postgres: ## the tests on PostgreSQL and Redis only
	@$(house) postgres $(ARGS)

test-pythons: ## the quick tests on each of Python 3.11, 3.12 and 3.13 that is found
	@$(house) pythons $(ARGS)

lint: ## ruff, mypy, the order of the layers, missing migrations
	@$(house) lint

chaos: ## breaks whole instances on purpose and counts the mails; ARGS="--row kill-sender --n 20"
	@$(ready_to_test) && exec .venv/bin/python -m chaos $(ARGS)

bench: ## every benchmark, short, and a table; ARGS="--only send-sqlite,naive" or ARGS=--full
	@$(ready_to_test) && exec .venv/bin/python -m benchmarks $(ARGS)

pictures: ## photographs every page for docs/; ARGS="--all FOLDER" keeps them all, to be looked at
	@$(ready_to_test) && exec .venv/bin/python -m tests.journeys.pictures $(ARGS)

simulate: ## schedules of everything that may go wrong; ARGS="--schedules 10000 --seed 1"
	@$(ready_to_test) && exec .venv/bin/python -m chaos.simulate $(ARGS)

mutants: ## small wrong changes in the sender's core that a test has to notice; ARGS="journal retry"
	@$(ready_to_test) && exec .venv/bin/python -m tests.mutants $(ARGS)

messages: ## gather every string for translation and compile the catalogues (needs GNU gettext)
	@$(ready_to_test) && .venv/bin/python -m tests.catalogues

format: ## let ruff lay out the code
	@$(ready_to_test)
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

# uv writes locks that hold on every platform and Python; it is needed here only.
lock_command = python3 -m uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-header $(UPGRADE)
lock: ## write the locks anew from pyproject.toml (UPGRADE=--upgrade takes newer versions)
	@python3 -m uv --version >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	@$(lock_command) pyproject.toml --group build -o requirements/run.txt
	@$(lock_command) pyproject.toml --group build --group dev -c requirements/run.txt \
		-o requirements/dev.txt

venv: ## .venv with everything the tests need
	@$(ready_to_test)
