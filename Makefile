# Every target sets up what it needs by itself. `make help` explains them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.synced
export PYTHONPATH := $(CURDIR):$(CURDIR)/layers/churn

# uv, if it is there and works; else a copy of its own under .local/tools.
UV = $(shell if uv --version >/dev/null 2>&1; then echo uv; else echo .local/tools/bin/uv; fi)
# A Python 3.13 that is not on the PATH is found where pyenv keeps it; otherwise uv looks, and fetches one if it must.
PYENV_PYTHON = $(lastword $(sort $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.13*/bin/python3.13)))

# In an environment of its own: it pins what the project needs in other versions.
SAM := .local/sam/bin/sam
SAM_VERSION := 1.170.0
# x86_64 or arm64, and where the artefacts go.
ARCHITECTURE ?= x86_64
BUILD_DIR ?= .aws-sam/build

.PHONY: help run up down status logs token sign-in clean import export events audit-verify redrive train dataset models promote rollback sign-models bench \
	format lint unit integration contract chaos fuzz check test test-mysql test-kafka smoke openapi sbom build sam-api sam-invoke deploy destroy

help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-12s  %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "make run PORT=8000 WS_PORT=8001 changes the ports; the README explains all settings."

.local/tools/bin/uv:
	@echo "uv is not installed: installing it under .local/tools"
	@python3 -m venv .local/tools
	@.local/tools/bin/python -m pip install --quiet --disable-pip-version-check uv

KERNEL := $(wildcard layers/churn/churn/ml/kernel*.[ch])

$(STAMP): pyproject.toml uv.lock $(KERNEL)
	@if [ "$(UV)" != uv ]; then $(MAKE) .local/tools/bin/uv; fi
	@echo "setting up the virtual environment from uv.lock"
	@$(UV) sync --frozen --quiet $(if $(PYENV_PYTHON),--python $(PYENV_PYTHON))
	@$(PYTHON) -m infra.tools.kernel || echo "numpy serves without them"
	@touch $@

##@ Run
run: $(STAMP) ## Start the whole service on this machine; Ctrl-C stops all of it
	@exec $(PYTHON) -m infra.local run

up: $(STAMP) ## Start the whole service in the background, return when it is ready
	@$(PYTHON) -m infra.local up

down: $(STAMP) ## Stop what `make up` started
	@$(PYTHON) -m infra.local down

status: $(STAMP) ## Show what runs
	@$(PYTHON) -m infra.local status

logs: $(STAMP) ## Follow a function's log: make logs FN=scoring [ENV=dev], by default of `make up`
	@test -n "$(FN)" || { echo "which function? make logs FN=scoring [ENV=dev]"; exit 2; }
	@$(if $(ENV),$(PYTHON) -m infra.tools.aws_stages check $(ENV) && $(MAKE) .local/sam/$(SAM_VERSION) && exec $(PYTHON) -m infra.tools.aws_stages logs $(ENV) $(FN),\
		tail -n +1 -f $(or $(CHURN_STATE_DIR),.local)/stack.log | grep --line-buffered "^$(FN) *|")

token: $(STAMP) ## Print a token: make token [ROLE=read|predict|…] [SUBJECT=anna] [HOURS=24]
	@$(PYTHON) -m infra.tools.issue_token $(if $(HOURS),--hours $(HOURS)) $(if $(ROLE),--role $(ROLE)) $(if $(SUBJECT),--subject "$(SUBJECT)") $(ARGS)

sign-in: $(STAMP) ## Print an address that signs in once, within a minute [ROLE=read] [SUBJECT=anna]
	@$(PYTHON) -m infra.tools.issue_token --sign-in --role $(or $(ROLE),admin) $(if $(SUBJECT),--subject "$(SUBJECT)") $(if $(URL),--url "$(URL)")

clean: ## Remove what was built, and the local stack's data (it must not run)
	@if [ -x $(PYTHON) ] && $(PYTHON) -m infra.local status >/dev/null; then echo "the local stack runs: make down"; exit 1; fi
	rm -rf .local $(VENV) .aws-sam functions/dashboard/static functions/dashboard/web/node_modules tests/clients/node_modules tests/clients/client .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache layers/model/model
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

##@ Data
import: $(STAMP) ## Import your history: make import FILE=orders.csv [KIND=orders|events|customers]
	@test -n "$$FILE" || { echo "which file? make import FILE=orders.csv [KIND=orders|events|customers]"; exit 2; }
	@$(PYTHON) -m infra.tools.importer "$$FILE" $(if $(KIND),--kind $(KIND)) $(ARGS)

export: $(STAMP) ## Export a list: make export FILE=all.csv [WHAT=alerts] [SEGMENT=…] [FORMAT=…]
	@test -n "$$FILE" || { echo "which file? make export FILE=all.csv [WHAT=customers|alerts|predictions] [SEGMENT=…] [FORMAT=csv|parquet]"; exit 2; }
	@$(PYTHON) -m infra.tools.exporter.command "$$FILE" $(if $(WHAT),--what $(WHAT)) $(if $(SEGMENT),--segment "$(SEGMENT)") \
		$(if $(FORMAT),--format $(FORMAT)) $(if $(QUERY),--query "$(QUERY)") $(ARGS)

events: $(STAMP) ## Publish simulated events: make events [RATE=20] [COUNT=1000]
	@$(PYTHON) -m infra.tools.publish_events $(if $(RATE),--rate $(RATE)) $(if $(COUNT),--count $(COUNT)) $(ARGS)

audit-verify: $(STAMP) ## Verify the chain of the audit trail; name its first broken link
	@$(PYTHON) -m infra.tools.audit

redrive: $(STAMP) ## Reprocess dead letters, failed batches and failed invocations [ENV=dev]
	@$(PYTHON) -m infra.tools.redrive $(if $(ENV),--stage $(ENV))

##@ Model
train: $(STAMP) ## Train a version from the stored histories: make train [ARGS="--card"]
	@$(PYTHON) -m infra.tools.train $(ARGS)

dataset: $(STAMP) ## Write what a version is trained on: make dataset FILE=snapshots.parquet
	@test -n "$$FILE" || { echo "which file? make dataset FILE=snapshots.parquet"; exit 2; }
	@$(PYTHON) -m infra.tools.dataset "$$FILE" $(ARGS)

models: $(STAMP) ## List the model versions: how good each is, and which one serves
	@$(PYTHON) -m infra.tools.models list

promote: $(STAMP) ## Let a version serve: make promote VERSION=… [REASON=…] [FORCE="reason"]
	@test -n "$(VERSION)" || { echo "which version? 'make models' lists them"; exit 2; }
	@$(PYTHON) -m infra.tools.models promote "$(VERSION)" $(if $(REASON),--reason "$(REASON)") $(if $(FORCE),--force "$(FORCE)")

rollback: $(STAMP) ## Let the previous version serve again: make rollback [REASON=…]
	@$(PYTHON) -m infra.tools.models rollback $(if $(REASON),--reason "$(REASON)")

sign-models: $(STAMP) ## Sign the versions from before there was a MODEL_SIGNING_KEY
	@$(PYTHON) -m infra.tools.models sign

bench: $(STAMP) ## Measure all in one table, or one: make bench NAME=sweep
	@if [ "$(UV)" != uv ]; then $(MAKE) .local/tools/bin/uv; fi
	@$(UV) sync --frozen --quiet --inexact --group bench
	@$(PYTHON) -m tests.benchmarks.run $(NAME)

##@ Test
format: $(STAMP) ## Format the code, and fix what ruff can fix
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .
	@$(PYTHON) -m infra.tools.node functions/dashboard/web format

lint: $(STAMP) ## Check style, types and imports, in Python and TypeScript
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-logo
	@$(PYTHON) -m infra.tools.node functions/dashboard/web lint

unit: $(STAMP) ## Run the unit tests: quick, without servers or training runs
	@$(PYTHON) -m pytest tests/unit

check: lint unit ## Lint and run the unit tests, as the pre-push hook does

integration: $(STAMP) ## Run the tests against a real MariaDB and Redis, and emulated AWS services
	@$(PYTHON) -m pytest tests/integration

contract: $(STAMP) ## Run the tests against whole local stacks, in a browser too
	@$(PYTHON) -m infra.tools.dashboard
	@$(PYTHON) -m pytest tests/contract

LAYER_MODEL := layers/model/model/model.npz

chaos: $(STAMP) ## Break what the service depends on, under load: every fault, and a table of them
	@[ -e $(LAYER_MODEL) ] || $(PYTHON) -m infra.tools.train --prior --out $(LAYER_MODEL)
	@CHAOS=1 CHAOS_TABLE=$(or $(CHURN_STATE_DIR),.local)/faults.md $(PYTHON) -m pytest tests/contract/chaos/test_faults.py; \
		result=$$?; cat $(or $(CHURN_STATE_DIR),.local)/faults.md; exit $$result

# These have a short form in all tests.
FUZZED := tests/contract/fuzz tests/unit/infra/test_importer_fuzz.py tests/unit/ml/test_hostile_artifacts.py

fuzz: $(STAMP) ## Send 100,000 requests, messages, records, files and models to break it [SHARE=]
	@FUZZ=$(or $(SHARE),1) $(PYTHON) -m pytest $(FUZZED)

test-mysql: $(STAMP) ## Run the database's tests on a real MySQL, if there is one [INSTALL=1]
	@$(PYTHON) -m infra.tools.mysql_tests $(if $(INSTALL),--install)

test-kafka: $(STAMP) ## Run the tests of Kafka on Apache Kafka in a container, where Docker runs
	@if ! docker info >/dev/null 2>&1; then echo "skipped: no Docker engine answers"; exit 0; fi; \
		docker compose -f infra/compose.yaml up -d --wait kafka || exit 1; \
		KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 $(PYTHON) -m pytest tests/contract/test_kafka.py tests/contract/test_story.py; \
		result=$$?; docker compose -f infra/compose.yaml down; exit $$result

test: lint ## Lint and run all tests
	@$(PYTHON) -m infra.tools.dashboard
	@$(PYTHON) -m pytest
	@$(PYTHON) -m infra.tools.mysql_tests

smoke: $(STAMP) ## Test a deployment: JWT_SECRET=… make smoke URL=https://… [WS_URL=wss://…]
	@test -n "$(URL)" || { echo "which deployment? make smoke URL=https://… [WS_URL=wss://…]"; exit 2; }
	@BASE_URL="$(URL)" $(PYTHON) -m pytest tests/contract/test_rest.py tests/contract/test_exports.py $(if $(WS_URL),tests/contract/test_socket.py)

openapi: $(STAMP) ## Write docs/openapi.json from the request and response models
	@$(PYTHON) -m infra.tools.openapi $(ARGS)

sbom: $(STAMP) ## List what is deployed, with hashes and licences: make sbom [FILE=…]
	@$(PYTHON) -m infra.tools.sbom "$${FILE:-.local/sbom.json}"

##@ AWS
.local/sam/$(SAM_VERSION): | $(STAMP)
	@echo "setting up AWS SAM under .local/sam"
	@$(UV) venv --quiet --clear --python $(PYTHON) .local/sam
	@$(UV) pip install --quiet --python .local/sam aws-sam-cli==$(SAM_VERSION)
	@touch $@

build: .local/sam/$(SAM_VERSION) ## Build page, functions, layers, without Docker: make build [ARCHITECTURE=arm64]
	@$(PYTHON) -m infra.tools.dashboard
	@env -u PYTHONPATH ARCHITECTURE=$(ARCHITECTURE) SAM_CLI_TELEMETRY=0 $(SAM) build \
		--build-dir "$(BUILD_DIR)" --parameter-overrides Architecture=$(ARCHITECTURE)

# A build takes minutes: what a command needs besides is checked before.
sam-api: $(STAMP) ## Serve the REST API in containers, with the data of `make up` [SAM_PORT=3100]
	@$(PYTHON) -m infra.tools.sam_local check
	@$(MAKE) build
	@exec $(PYTHON) -m infra.tools.sam_local --architecture $(ARCHITECTURE) api $(if $(SAM_PORT),--port $(SAM_PORT))

sam-invoke: $(STAMP) ## Invoke a function: make sam-invoke FN=ScoringFunction EVENT=docs/msk-event.json
	@test -n "$(FN)" -a -n "$(EVENT)" || { echo "what? make sam-invoke FN=ScoringFunction EVENT=docs/msk-event.json"; exit 2; }
	@$(PYTHON) -m infra.tools.sam_local check
	@$(MAKE) build
	@exec $(PYTHON) -m infra.tools.sam_local --architecture $(ARCHITECTURE) invoke "$(FN)" "$(EVENT)"

deploy: $(STAMP) ## Deploy to AWS: make deploy ENV=dev [PARAMETERS="AlarmEmail=you@example.com"]
	@$(PYTHON) -m infra.tools.aws_stages check "$(ENV)"
	@$(MAKE) build
	@exec $(PYTHON) -m infra.tools.aws_stages deploy --architecture $(ARCHITECTURE) "$(ENV)" $(PARAMETERS)

destroy: $(STAMP) ## Delete what was deployed to a stage: make destroy ENV=dev
	@$(PYTHON) -m infra.tools.aws_stages check "$(ENV)"
	@$(MAKE) .local/sam/$(SAM_VERSION)
	@exec $(PYTHON) -m infra.tools.aws_stages destroy "$(ENV)"
