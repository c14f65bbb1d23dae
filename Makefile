# `make up` and `make test` are all the set-up there is; `make` alone lists the rest.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Each worker starts a server of its own; one of them begins with the tests about roles, which need it untouched.
PARALLEL := --numprocesses=2 --dist=loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help up down test pytest bench bench-distributions bench-upgrade bench-purge bench-load prove mutants lint format generate entity

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 28

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@touch $@

up: $(VENV)/.ready ## migrate and verify DATABASE_URL, or an embedded server with a sample to look at
ifdef DATABASE_URL
	$(BIN)/connector-provenance upgrade
	$(BIN)/connector-provenance verify
else
	@$(BIN)/python -u demo/embedded.py up
endif

down: $(VENV)/.ready ## stop the embedded server and remove its data
	@$(BIN)/python demo/embedded.py down

test: lint pytest ## run linters and tests, on fresh embedded servers

pytest: $(VENV)/.ready ## run the tests alone; with TEST_POSTGRES_BIN on servers of that directory, or on TEST_DATABASE_URL
	$(BIN)/pytest $(if $(TEST_DATABASE_URL),,$(PARALLEL))

bench: $(VENV)/.ready ## measure against other designs: make bench ROWS=10_000_000; writes bench/REPORT.md
	@PYTHONPATH=tests $(BIN)/python bench/run.py --rows $(or $(ROWS),1_000_000)

bench-distributions: $(VENV)/.ready ## compare pages, counts and plans in three distributions: make bench-distributions ROWS=3_000_000; writes bench/DISTRIBUTIONS.md
	@PYTHONPATH=tests $(BIN)/python bench/distributions.py --rows $(or $(ROWS),1_000_000)

bench-upgrade: $(VENV)/.ready ## adopt a live host of ROWS rows under load and write bench/LIVE_UPGRADE.md (10 minutes)
	PYTHONPATH=tests $(BIN)/python bench/live_upgrade.py --rows $(or $(ROWS),2000000)

bench-purge: $(VENV)/.ready ## purge a table of ROWS rows while others insert and write bench/PURGE.md (5 minutes)
	PYTHONPATH=tests $(BIN)/python bench/purge.py --rows $(or $(ROWS),1000000)

bench-load: $(VENV)/.ready ## let SESSIONS of TENANTS work through pgbouncer for SECONDS and write bench/LOAD.md (12 minutes)
	PYTHONPATH=tests $(BIN)/python bench/pooled.py --seconds $(or $(SECONDS),300) --sessions $(or $(SESSIONS),200) --tenants $(or $(TENANTS),20)

prove: $(VENV)/.ready ## walk the model of tenancy at random and write bench/PROOF.md: make prove STEPS=1_000_000; SEED= and WALK= repeat a walk
	@PYTHONPATH=tests $(BIN)/python bench/prove.py --steps $(or $(STEPS),100_000) $(if $(SEED),--seed $(SEED)) --first-walk $(or $(WALK),0)

mutants: $(VENV)/.ready ## break the source a line at a time and see which tests notice; writes bench/MUTANTS.md (an hour or two); ONLY=policies
	PYTHONPATH=tests $(BIN)/python bench/mutants.py --only "$(ONLY)" $(if $(RESUME),--resume)

lint: $(VENV)/.ready ## check SQL and Python
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@mkdir -p .cache/typing/connector_provenance
	@for part in migrations hasura; do ln -sfn ../../../$$part .cache/typing/connector_provenance/$$part; done
	$(BIN)/mypy
	$(BIN)/sqlfluff lint sql policies hasura clients demo bench
	@! awk -f tests/search_path.awk sql/*.up.sql sql/functions/*.sql | grep .
	$(BIN)/squawk sql/*.up.sql sql/functions/*.sql policies/*.sql

format: $(VENV)/.ready ## rewrite SQL and Python the way the linters want it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/sqlfluff fix sql policies hasura clients demo bench

generate: $(VENV)/.ready ## rewrite what is read from a migrated database: the contract, schema pages, policies/README.md, revisions, clients
	REGENERATE=1 $(BIN)/pytest tests/test_generated.py tests/test_locks.py tests/test_verify.py tests/test_hasura_metadata.py tests/test_clients_mikro_orm.py -k "generated or revisions_page or just_migrated or fragment"

entity: $(VENV)/.ready ## write another record type's files from company's: make entity NAME=document PLURAL=documents
	@$(BIN)/python -m connector_provenance.migrations.entity "$(NAME)" "$(PLURAL)"
