# SPDX-License-Identifier: GPL-2.0-only
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= /usr/bin/python3
VENV := .venv
BIN := $(VENV)/bin

# What Debian 12 has to bring; installed only if something is missing, so that the second run is quick.
RUN_PACKAGES := python3-bpfcc python3-systemd python3-venv gcc libc6-dev
TEST_PACKAGES := $(RUN_PACKAGES) qemu-system-x86 kmod chromium mmdebstrap bubblewrap git

# $(call debian,packages): install those that are not there yet.
define debian
@missing=$$(for p in $(1); do \
	dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
if [ -n "$$missing" ]; then \
	echo "installing Debian packages:" $$missing; \
	{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing; } \
		>/tmp/uffd-profiler-apt.log 2>&1 || { cat /tmp/uffd-profiler-apt.log; \
		echo "make: these packages cannot be installed: $$missing; run make as root, with a package mirror" >&2; exit 1; }; \
fi
endef

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: ## everything that running needs, and the command .venv/bin/uffd-profiler
	$(call debian,$(RUN_PACKAGES))
	@$(MAKE) --no-print-directory $(VENV)/.installed
	@$(BIN)/python -m profiler.workload.build

# bcc comes from Debian: the virtual environment has to see its packages.
$(VENV)/.installed: pyproject.toml
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv --system-site-packages $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check --no-warn-conflicts -e .
	@touch $@

$(VENV)/.installed-tests: pyproject.toml $(VENV)/.installed
	@$(BIN)/pip install -q --disable-pip-version-check --no-warn-conflicts -e '.[test]'
	@touch $@

# Unpacked and not installed: the package would start a service of its own.
$(VENV)/prometheus/usr/bin/promtool:
	@folder=$$(mktemp -d); trap 'rm -rf '$$folder EXIT; cd $$folder && \
		{ apt-get update -qq && apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb $(abspath $(VENV))/prometheus; } \
		>log 2>&1 || { cat log; echo "make: Debian's package prometheus cannot be fetched; see that a package mirror is there" >&2; exit 1; }

demo: install ## profile a real userfaultfd workload on the running kernel, and judge the kernel
	$(BIN)/uffd-profiler profile -- $(BIN)/uffd-profiler workload --summary --backing memfd --mode minor --pages 4099
	$(BIN)/uffd-profiler check

install-tests: install
	$(call debian,$(TEST_PACKAGES))
	@$(MAKE) --no-print-directory $(VENV)/.installed-tests $(VENV)/prometheus/usr/bin/promtool

lint: install-tests ## format, lint, strict types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

unit: install-tests ## the fast tests: under a minute
	$(BIN)/pytest -q tests/unit

test-kernel: install-tests ## real BPF on the running kernel, and the command line
	$(BIN)/pytest -q tests/kernel tests/cli

test-service: install-tests ## the service on the running kernel, with a real Prometheus and a real browser
	$(BIN)/pytest -q tests/service tests/browser

test-vm: install-tests ## the VM itself, then real BPF on Debian's 6.1 kernel, one boot for the suite
	$(BIN)/pytest -q tests/lab
	$(BIN)/uffd-profiler vm --kernel debian:6.1 --timeout 3600 -- env UFFD_THROWAWAY=1 UFFD_EXPECT_WAYS=fentry,kprobe,tracepoint \
		$(abspath $(BIN))/pytest -q -p no:cacheprovider tests/kernel

test-image: install-tests ## the steps of the Dockerfile, executed; what they make, run on the running kernel
	$(BIN)/pytest -q tests/image

test-here: install-tests
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory test-kernel
	@$(MAKE) --no-print-directory test-service

# The VM has a kernel of its own: its tests and those of this kernel do not see each other.
test: lint ## everything
	@$(MAKE) --no-print-directory -j2 --output-sync=target test-here test-vm
	@$(MAKE) --no-print-directory test-image
	@echo "all tests passed"

bench: install-tests ## what the numbers in the README come from
	$(BIN)/python -m bench.attach
	$(BIN)/python -m bench.overhead
	$(BIN)/python -m bench.scrape

clean: ## remove what make made here
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: help install demo install-tests lint unit test-kernel test-service test-vm test-image test-here test bench clean
