# SPDX-License-Identifier: GPL-2.0-only
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= /usr/bin/python3
VENV := .venv
BIN := $(VENV)/bin
# What Python compiled is kept: a VM's tests start in half the time.
unexport PYTHONDONTWRITEBYTECODE

# What Debian 12 has to bring; installed only if something is missing, so that the second run is quick.
RUN_PACKAGES := python3-bpfcc python3-systemd python3-venv gcc libc6-dev
TEST_PACKAGES := $(RUN_PACKAGES) qemu-system-x86 kmod chromium mmdebstrap bubblewrap git

# What builds a kernel.
KERNEL_PACKAGES := $(TEST_PACKAGES) gcc binutils make patch bc bison flex pahole libelf-dev perl-base xz-utils zstd lz4 ccache

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

# What a guest would have to compile by itself: it cannot write beside the sources, and is slow.
bytecode: install-tests
	@$(BIN)/python -m compileall -q profiler
	@PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(BIN)/pytest -q -p no:cacheprovider --collect-only tests/kernel >/dev/null
	@$(BIN)/python -m tests.kernel.swap.producer

lint: install-tests ## format, lint, strict types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

unit: install-tests ## the fast tests: under a minute
	$(BIN)/pytest -q tests/unit

test-kernel: install-tests ## real BPF on the running kernel, and the command line
	$(BIN)/pytest -q tests/kernel tests/cli --ignore tests/kernel/swap

test-service: install-tests ## the service on the running kernel, with a real Prometheus and a real browser
	$(BIN)/pytest -q tests/service tests/browser --ignore tests/service/test_load.py

test-load: install-tests ## the service under load, by itself: an emulated machine beside it would be more of a load
	$(BIN)/pytest -q tests/service/test_load.py

test-lab: install-tests ## the VM itself: how it starts and ends
	$(BIN)/pytest -q tests/lab \
		--ignore tests/lab/test_failing.py --ignore tests/lab/test_built.py --ignore tests/lab/test_experiment.py

test-failing: install-tests ## the VM itself: kernels that fail to boot, hang or panic
	$(BIN)/pytest -q tests/lab/test_failing.py

test-vm: bytecode ## real BPF on Debian's 6.1 kernel, one boot for the suite
	$(BIN)/uffd-profiler vm --kernel debian:6.1 --timeout 2400 --repeatable \
		--append=numa=fake=2 --append=numa_balancing=disable -- \
		env PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 UFFD_THROWAWAY=1 \
		UFFD_EXPECT_WAYS=fentry,kprobe,tracepoint UFFD_OWN_SESSIONS=fentry \
		$(abspath $(BIN))/pytest -q -p no:cacheprovider -o faulthandler_timeout=300 tests/kernel

test-kernels: bytecode ## the other kernels: Debian's 5.10, 6.12 and newest, and those that it builds (10 minutes, once)
	$(call debian,$(KERNEL_PACKAGES))
	$(BIN)/python -m tests.kernels

kernels-page: bytecode ## renew docs/kernels.md from the tests of all kernels
	$(call debian,$(KERNEL_PACKAGES))
	$(BIN)/python -m tests.kernels --renew

test-image: install-tests ## the steps of the Dockerfile, executed; what they make, run on the running kernel
	$(BIN)/pytest -q tests/image

test-here: install-tests
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory test-kernel
	@$(MAKE) --no-print-directory test-service
	@$(MAKE) --no-print-directory test-failing

test-there: install-tests
	@$(MAKE) --no-print-directory test-vm
	@$(MAKE) --no-print-directory test-lab

# The VM has a kernel of its own: its tests and those of this kernel do not see each other. Both take as long.
test: lint ## everything but the other kernels
	@$(MAKE) --no-print-directory -j2 --output-sync=target test-here test-there
	@$(MAKE) --no-print-directory test-load
	@$(MAKE) --no-print-directory test-image
	@echo "all tests passed"

bench: install-tests ## what the numbers in the README come from
	$(BIN)/python -m bench.attach
	$(BIN)/python -m bench.overhead
	$(BIN)/python -m bench.scrape

clean: ## remove what make made here
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: help install demo install-tests bytecode lint unit test-kernel test-service test-load test-lab test-failing test-vm test-kernels kernels-page test-image test-here test-there test bench clean
