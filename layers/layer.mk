# What the layers' Makefiles share. `sam build` runs them in their own folders (build_in_source in samconfig.toml).
#
# Every layer takes its versions from the one lock file and installs just what is listed, so that two layers never
# bring different versions of a package. Wheels are those of Lambda's platform, whatever this machine is.
.SILENT:
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

ROOT := $(abspath $(CURDIR)/../..)
UV ?= $(shell if uv --version >/dev/null 2>&1; then echo uv; else echo $(ROOT)/.local/tools/bin/uv; fi)

# x86_64 or arm64, as the template's parameter Architecture.
ARCHITECTURE ?= x86_64
MACHINE_x86_64 := x86_64
MACHINE_arm64 := aarch64
# Amazon Linux 2023, under Lambda's Python 3.13, has glibc 2.34.
MACHINE = $(or $(MACHINE_$(ARCHITECTURE)),$(error ARCHITECTURE is x86_64 or arm64, not $(ARCHITECTURE)))
PLATFORM = $(MACHINE)-manylinux_2_28

PYTHON := PYTHONPATH="$(ROOT):$(ROOT)/layers/churn" "$(ROOT)/.venv/bin/python"

EXPORT = $(UV) export --quiet --project "$(ROOT)" --frozen --no-default-groups --no-header --no-annotate
# Nothing but listed wheels, each with the lock file's checksum. `uv pip install` would resolve anew what pyproject.toml
# overrides.
INSTALL = $(UV) pip sync --quiet --require-hashes --only-binary :all: --link-mode copy \
	--python-version 3.13 --python-platform $(PLATFORM)

# $(call trim,FOLDER) takes out what no function runs: scripts, tests, headers, sources of C and Cython, type stubs and
# bytecode. What is left has one time stamp and plain modes, so that equal sources make an equal layer on any day.
define trim
	rm -rf "$(1)"/python/bin "$(1)"/python/.lock
	find "$(1)" -depth -type d \( -name tests -o -name include -o -name __pycache__ \) -exec rm -rf {} +
	find "$(1)" -type f \( -name '*.py[cio]' -o -name '*.[ach]' -o -name '*.hpp' -o -name '*.px[di]' -o -name '*.pyx*' \
		-o -name RECORD -o -name INSTALLER -o -name REQUESTED -o -name direct_url.json \
		-o -name uv_cache.json \) -delete
	chmod -R u=rwX,go=rX "$(1)"
	find "$(1)" -exec touch --no-dereference --date=1980-01-01T00:00:00Z {} +
endef
