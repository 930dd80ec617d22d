# Everything sets itself up: the virtual environment in .venv, a Docker engine, the sandbox image.
# What is there already costs well under a second. Works with GNU make 3.81 and later.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -c

ARGS ?=
# The first Python ≥ 3.11; name another with PYTHON=…
PYTHON ?=

# A stamp is named after what the installation depends on, so that times of files do not matter.
RUN_STAMP := .venv/.run-$(shell { cat requirements.lock pyproject.toml; pwd; } | cksum | cut -d' ' -f1)
DEV_STAMP := .venv/.dev-$(shell { cat requirements-dev.lock pyproject.toml; pwd; } | cksum | cut -d' ' -f1)

# $(call install,LOCK): make .venv, or make it anew where its Python is gone or the folder was moved (its
# scripts hold full paths), and put the packages of LOCK into it.
define install
	@set -e; \
	if [ "$$(cat .venv/.home 2>/dev/null || pwd)" != "$$(pwd)" ] || \
	    ! .venv/bin/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    python=; \
	    for each in $(or $(PYTHON),python3.11 python3.12 python3.13 python3.14 python3); do \
	        if "$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$each; break; fi; \
	    done; \
	    if [ -z "$$python" ]; then \
	        echo 'No Python 3.11 or later was found. Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3' >&2; exit 3; \
	    fi; \
	    if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	        package=$$("$$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	        if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	            echo "Installing $$package with apt-get" >&2; \
	            { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y "$$package"; } \
	                >/tmp/mendbench-apt.log 2>&1 </dev/null || { tail -n 20 /tmp/mendbench-apt.log >&2; exit 3; }; \
	        else \
	            echo "This Python cannot make virtual environments. On Debian or Ubuntu: sudo apt-get install $$package" >&2; exit 3; \
	        fi; \
	    fi; \
	    "$$python" -m venv --clear .venv; \
	fi; \
	pwd >.venv/.home; \
	echo 'Installing the Python packages of $(1) into .venv (this once)' >&2; \
	.venv/bin/python -P -m pip install -qq --disable-pip-version-check --require-hashes --only-binary :all: -r $(1); \
	.venv/bin/python -P -m pip install -qq --disable-pip-version-check --no-build-isolation --no-deps -e .
endef

# $(call with_sandbox,COMMAND): run it once an engine and the image are there.
with_sandbox = @DOCKER_HOST=$$(docker/engine --print-host) && export DOCKER_HOST && docker/build && $(1)

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' | \
	    while IFS='|' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

.PHONY: bench
bench: $(RUN_STAMP) ## Benchmark the models that are found, or play the recorded demo (ARGS="--model NAME …")
	$(call with_sandbox,exec .venv/bin/mendbench bench $(ARGS))

# Processes among which the tests are shared out.
WORKERS = 2

.PHONY: test
test: $(DEV_STAMP) ## Run the tests, with real containers (ARGS="tests/unit -k word", WORKERS=0 for one process)
	$(call with_sandbox,exec .venv/bin/pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder $(ARGS))

ENGINE_TESTS = tests/engines tests/integration/test_sandbox.py tests/integration/test_reaper.py tests/abuse

.PHONY: test-engines
test-engines: $(DEV_STAMP) ## Run the sandbox's tests on a second, newer engine, as root (MENDBENCH_ENGINE_RUNTIME=crun)
	$(call with_sandbox,exec tests/engines/second bash -c 'docker/build && exec .venv/bin/pytest "$$@"' - $(or $(ARGS),$(ENGINE_TESTS)))

.PHONY: test-flags
test-flags: $(DEV_STAMP) ## Take each hardening flag away in turn: some hostile script must notice (10 minutes)
	$(call with_sandbox,exec .venv/bin/pytest tests/abuse/flag_removal.py $(ARGS))

.PHONY: test-reuse
test-reuse: $(DEV_STAMP) ## Run every hostile script in containers that are used again
	$(call with_sandbox,MENDBENCH_ABUSE_MODE=reuse exec .venv/bin/pytest tests/abuse/test_hostile_scripts.py $(ARGS))

.PHONY: test-process
test-process: $(DEV_STAMP) ## Run every hostile script at level process
	$(call with_sandbox,MENDBENCH_ABUSE_LEVEL=process exec .venv/bin/pytest tests/abuse/test_hostile_scripts.py tests/abuse/test_traces.py $(ARGS))

.PHONY: lint
lint: $(DEV_STAMP) ## Check style and format
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check

.PHONY: typecheck
typecheck: $(DEV_STAMP) ## Check types
	@.venv/bin/mypy

.PHONY: check
check: ## All of lint, typecheck and test
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory typecheck
	@$(MAKE) --no-print-directory test

.PHONY: perf
perf: $(DEV_STAMP) ## Compare the ways to run an attempt, 20 minutes (ARGS="--rounds 5 --windows 1")
	$(call with_sandbox,exec .venv/bin/python -m perf $(ARGS))

.PHONY: bench-clean
bench-clean: $(DEV_STAMP) ## Compare our cleaner of replies with other ways on a corpus, 10 minutes (ARGS="--no-peers")
	@.venv/bin/python -m perf.cleaning $(ARGS)

.PHONY: image
image: $(RUN_STAMP) ## Build the sandbox image if it is missing, starting or installing an engine if need be
	$(call with_sandbox,docker/build --print-tag)

.PHONY: doctor
doctor: $(RUN_STAMP) ## Say whether this machine is fit, and how to mend what is not
	@.venv/bin/mendbench doctor $(ARGS)

.PHONY: reap
reap: $(RUN_STAMP) ## Remove containers that a killed run left behind
	@.venv/bin/mendbench reap $(ARGS)

.PHONY: lock
lock: ## Renew the lock files with uv (UPGRADE=--upgrade takes new versions)
	@command -v uv >/dev/null || { echo 'make lock needs uv' >&2; exit 3; }
	$(LOCK) --universal --group build -o requirements.lock pyproject.toml
	$(LOCK) --universal --group dev -o requirements-dev.lock pyproject.toml
	cd docker && $(LOCK) --python-platform linux -o requirements.lock requirements.in
LOCK = uv pip compile -q --python-version 3.11 --generate-hashes --no-emit-index-url --no-header $(UPGRADE)

.PHONY: clean
clean: ## Remove .venv and caches (runs and Docker images stay)
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find evaluator sandbox repair prompts tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN_STAMP):
	$(call install,requirements.lock)
	@touch $@

# The packages of requirements.lock are among these, in the same versions.
$(DEV_STAMP):
	$(call install,requirements-dev.lock)
	@touch $(RUN_STAMP) $@
