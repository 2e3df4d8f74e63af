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

.PHONY: help run up down status test lint train models promote rollback import events redrive token openapi bench build sam-api sam-invoke deploy destroy logs smoke clean

help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  make run PORT=8000 WS_PORT=8001 moves the addresses; the README explains all settings."

.local/tools/bin/uv:
	@echo "uv is not installed: installing it under .local/tools"
	@python3 -m venv .local/tools
	@.local/tools/bin/python -m pip install --quiet --disable-pip-version-check uv

$(STAMP): pyproject.toml uv.lock
	@if [ "$(UV)" != uv ]; then $(MAKE) .local/tools/bin/uv; fi
	@echo "setting up the virtual environment from uv.lock"
	@$(UV) sync --frozen --quiet $(if $(PYENV_PYTHON),--python $(PYENV_PYTHON))
	@touch $@

run: $(STAMP) ## Start the whole service here; Ctrl-C stops all of it
	@exec $(PYTHON) -m infra.local run

up: $(STAMP) ## Start the whole service in the background, return when it is ready
	@$(PYTHON) -m infra.local up

down: $(STAMP) ## Stop what `make up` started
	@$(PYTHON) -m infra.local down

status: $(STAMP) ## Tell what runs
	@$(PYTHON) -m infra.local status

test: lint ## Lint and run all tests
	@$(PYTHON) -m pytest

lint: $(STAMP) ## Style, types and the direction of imports
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy layers/churn/churn infra tests
	@for app in functions/*/app.py; do MYPYPATH=layers/churn $(VENV)/bin/mypy $$app | { grep -v '^Success' || true; }; done
	@$(VENV)/bin/lint-imports

train: $(STAMP) ## A new model version from the stored histories: make train [ARGS="--horizon 60"]
	@$(PYTHON) -m infra.tools.train $(ARGS)

models: $(STAMP) ## The model's versions: how good each is, and which one serves
	@$(PYTHON) -m infra.tools.models list

promote: $(STAMP) ## Let a version serve, if it passed its gate: make promote VERSION=… [REASON=…] [FORCE="why all the same"]
	@test -n "$(VERSION)" || { echo "which version? 'make models' lists them"; exit 2; }
	@$(PYTHON) -m infra.tools.models promote "$(VERSION)" $(if $(REASON),--reason "$(REASON)") $(if $(FORCE),--force "$(FORCE)")

rollback: $(STAMP) ## Let the version before serve again: make rollback [REASON=…]
	@$(PYTHON) -m infra.tools.models rollback $(if $(REASON),--reason "$(REASON)")

import: $(STAMP) ## A shop's own history: make import FILE=orders.csv [KIND=orders|events|customers] [ARGS=…]
	@test -n "$(FILE)" || { echo "which file? make import FILE=orders.csv [KIND=orders|events|customers]"; exit 2; }
	@$(PYTHON) -m infra.tools.importer.command "$(FILE)" $(if $(KIND),--kind $(KIND)) $(ARGS)

events: $(STAMP) ## Publish simulated events: make events [RATE=20] [COUNT=1000]
	@$(PYTHON) -m infra.tools.publish_events $(if $(RATE),--rate $(RATE)) $(if $(COUNT),--count $(COUNT)) $(ARGS)

redrive: $(STAMP) ## Do what was given up after all, once its cause is gone: make redrive [ENV=dev], without ENV here
	@$(PYTHON) -m infra.tools.redrive $(if $(ENV),--stage $(ENV))

token: $(STAMP) ## Print a token: make token [ROLE=read|predict|act|admin]
	@$(PYTHON) -m infra.tools.issue_token $(if $(ROLE),--role $(ROLE)) $(ARGS)

openapi: $(STAMP) ## Write docs/openapi.json from the request and answer models
	@$(PYTHON) -m infra.tools.openapi $(ARGS)

bench: $(STAMP) ## Measure the model, prediction's cold start and the nightly evaluation
	@for benchmark in tests/benchmarks/[a-z]*.py; do echo "== $$benchmark"; $(PYTHON) $$benchmark; done

.local/sam/$(SAM_VERSION): | $(STAMP)
	@echo "setting up AWS SAM under .local/sam"
	@$(UV) venv --quiet --clear --python $(PYTHON) .local/sam
	@$(UV) pip install --quiet --python .local/sam aws-sam-cli==$(SAM_VERSION)
	@touch $@

build: .local/sam/$(SAM_VERSION) ## Build functions and layers for AWS, without Docker: make build [ARCHITECTURE=arm64]
	@env -u PYTHONPATH ARCHITECTURE=$(ARCHITECTURE) SAM_CLI_TELEMETRY=0 $(SAM) build \
		--build-dir "$(BUILD_DIR)" --parameter-overrides Architecture=$(ARCHITECTURE)

sam-api: build ## Serve the REST API by `sam local start-api`, in containers, on what `make up` started [SAM_PORT=3100]
	@exec $(PYTHON) -m infra.tools.sam_local --architecture $(ARCHITECTURE) api $(if $(SAM_PORT),--port $(SAM_PORT))

sam-invoke: build ## Invoke a function by `sam local invoke`: make sam-invoke FN=ScoringFunction EVENT=docs/msk-event.json
	@exec $(PYTHON) -m infra.tools.sam_local --architecture $(ARCHITECTURE) invoke "$(FN)" "$(EVENT)"

deploy: build ## Deploy to AWS: make deploy ENV=dev [PARAMETERS="AlarmEmail=you@example.com"]
	@exec $(PYTHON) -m infra.tools.aws_stages deploy --architecture $(ARCHITECTURE) "$(ENV)" $(PARAMETERS)

destroy: .local/sam/$(SAM_VERSION) ## Delete what was deployed to a stage: make destroy ENV=dev
	@exec $(PYTHON) -m infra.tools.aws_stages destroy "$(ENV)"

logs: .local/sam/$(SAM_VERSION) ## Follow the log of a function: make logs FN=scoring [ENV=dev], without ENV of `make up`
	@test -n "$(FN)" || { echo "which function? make logs FN=scoring [ENV=dev]"; exit 2; }
	@$(if $(ENV),exec $(PYTHON) -m infra.tools.aws_stages logs $(ENV) $(FN),tail -n +1 -f $(or $(CHURN_STATE_DIR),.local)/stack.log | \
		grep --line-buffered "^$(FN) *|")

smoke: $(STAMP) ## The contract suite against any deployment: JWT_SECRET=… (or TOKEN=…) make smoke URL=https://… [WS_URL=wss://…]
	@test -n "$(URL)" || { echo "which deployment? make smoke URL=https://… [WS_URL=wss://…]"; exit 2; }
	@BASE_URL="$(URL)" $(PYTHON) -m pytest tests/contract/test_rest.py $(if $(WS_URL),tests/contract/test_socket.py)

clean: ## Remove what was built, and the local stack's data (it must not run)
	@if [ -x $(PYTHON) ] && $(PYTHON) -m infra.local status >/dev/null; then echo "the local stack runs: make down"; exit 1; fi
	rm -rf .local $(VENV) .aws-sam .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache layers/model/model
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
