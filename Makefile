# Every target does its own set-up; scripts/setup is quick when nothing is missing.
SHELL := /bin/bash
PYTHON := .venv/bin/python
NPM := npm --prefix electron-bridge run --silent
MINUTES ?= 10
SECONDS ?= 60
N ?= 10
ROUNDS ?= 1000
LOAD ?=
PYTEST_ARGS ?=
BENCH_ARGS ?=
SCAN_ARGS ?=
PACKAGE ?= trie
FDC3 ?=
ROUTE ?= electron
ONLY ?= All
MUTATE_ARGS ?=
PYTEST := $(PYTHON) -m pytest --numprocesses auto
# The parts without Electron, keychain and servers; they take less than a minute.
QUICK_TESTS := tests/unit tests/contract/test_vscode_jsonrpc.py
# What mypyc compiles, where `scripts/compile` puts it, and what tests those modules.
COMPILED := $(CURDIR)/build/compiled/site
COMPILED_TESTS := tests/unit/test_compiled.py tests/unit/bus tests/unit/handlers tests/unit/rpc \
	tests/unit/transport tests/contract/behaviour tests/integration/bus/test_bus.py
# `make test` plays three hundred of the second, and a hundred of the first.
HISTORIES := tests/contract/behaviour/test_outages.py tests/unit/bus/test_service_histories.py
# `make test` plays a few rounds of these; `make leaks` as many as ROUNDS.
LEAKS := tests/integration/reliability/test_tables_left.py tests/unit/components/connections/test_sessions.py \
	tests/unit/processes/test_manager.py

PYTHON_PRODUCT := backend protocol demo
PYTHON_SOURCES := $(PYTHON_PRODUCT) examples tests
SCRIPT_SOURCES := electron-bridge '{demo,examples}/**/*.{js,html,css}' 'tests/**/*.{js,html,css}'
NODE_BIN := electron-bridge/node_modules/.bin
ESLINT := $(NODE_BIN)/eslint --config electron-bridge/eslint.config.mjs --max-warnings 0
PRETTIER := $(NODE_BIN)/prettier --config electron-bridge/.prettierrc.json \
	--ignore-path electron-bridge/.prettierignore --no-error-on-unmatched-pattern

.PHONY: help setup demo demo-web demo-repeat centre-pictures test test-quick histories check schemas requirements packages docs bench soak fuzz crash-test format test-packaged clean test-compiled bench-compiled

help:
	@echo 'make demo                the Electron demo; under Xvfb where there is no display'
	@echo 'make centre-pictures     pictures of every page of the control centre, in build/centre'
	@echo 'make demo-web            its apps in a browser; in headless Chromium where there is no display'
	@echo 'make demo-repeat N=10    plays it N times and counts; LOAD=1: beside two busy loops'
	@echo 'make test                every test; PYTEST_ARGS="-k name" narrows it'
	@echo 'make test-quick          in less than a minute, what needs neither Electron nor servers'
	@echo 'make test-packaged       what is shipped: the bundle, and the example that is packaged with it'
	@echo 'make test-compiled       the tests of the hot path, on it as mypyc compiles it for the platform wheel'
	@echo 'make histories           10,000 random histories of clients, outages, grants, slow readers and replays'
	@echo 'make leaks ROUNDS=1000   sessions, calls, runs of apps and the like come and go; nothing of them stays'
	@echo 'make check               format, lint, types, schema drift'
	@echo 'make schemas             schemas/, the TypeScript types and the references in docs/, from the source'
	@echo 'make packages            builds wheel, sdist and npm tarball, checks them, and installs each in an empty folder'
	@echo 'make requirements        docs/requirements.md, from the tests that prove each of them'
	@echo 'make scan                weaknesses, licences, secrets; bills of materials; SCAN_ARGS=--strict'
	@echo 'make docs                the pages of docs/ as a site, in build/site; every link checked'
	@echo 'make bench               speed beside other brokers; BENCH_ARGS=--docs writes docs/performance.md'
	@echo 'make bench-compiled      the same, with the hot path compiled'
	@echo 'make load                100 to 1,000 apps with mixed traffic, and the knee; fails at its thresholds'
	@echo 'make control-load        the control centre in a browser at 10,000 msg/s; fails at its thresholds'
	@echo 'make soak MINUTES=10     steady load; fails on growth'
	@echo 'make fuzz SECONDS=60     hostile bytes on every entrance, and to each reader by coverage'
	@echo 'make chaos               a machine whose disk, memory, descriptors, clock, keys or parts fail, amid traffic'
	@echo 'make fdc3-conformance FDC3=PATH  the suite of a checkout of finos/FDC3; ROUTE=electron or browser'
	@echo 'make mutate PACKAGE=trie small faults in the source of a part that its tests have to find'
	@echo 'make crash-test          kill -9 at random moments; nothing acknowledged is lost, no process left'
	@echo 'make format              formats Python and TypeScript'
	@echo 'make clean               removes what these commands made'

setup:
	@scripts/setup

demo: setup
	$(PYTHON) -m demo.run

demo-web: setup
	$(PYTHON) -m demo.web

centre-pictures: setup
	scripts/with-keyring $(PYTHON) -m tests.electron.pictures

demo-repeat: setup
	$(PYTHON) -m demo.repeat --runs $(N) $(if $(LOAD),--load)

test: setup
	$(PYTEST) $(PYTEST_ARGS)

test-quick: setup
	$(PYTEST) --hypothesis-profile=quick -m 'not slow and not serial' $(QUICK_TESTS) $(PYTEST_ARGS)

test-packaged: setup
	$(PYTHON) -m pytest tests/packaged $(PYTEST_ARGS)
test-compiled: setup
	@scripts/compile
	PYTHONPATH=$(COMPILED) $(PYTEST) --hypothesis-profile=quick $(COMPILED_TESTS) $(PYTEST_ARGS)

histories: setup
	$(PYTEST) --hypothesis-profile=histories $(HISTORIES) $(PYTEST_ARGS)

.PHONY: leaks
leaks: setup
	nice -n 10 $(PYTHON) -m pytest -n0 --leak-rounds=$(ROUNDS) $(LEAKS) $(PYTEST_ARGS)

check: setup
	.venv/bin/ruff format --check $(PYTHON_SOURCES)
	.venv/bin/ruff check $(PYTHON_SOURCES)
	.venv/bin/mypy $(PYTHON_SOURCES)
	.venv/bin/mypy --platform darwin --cache-dir build/mypy-darwin $(PYTHON_PRODUCT)
	.venv/bin/mypy --platform win32 --cache-dir build/mypy-win32 $(PYTHON_PRODUCT)
	$(PYTHON) -m deskbus_protocol.export --check
	$(PYTHON) -m deskbus.export --check
	$(NPM) typecheck
	$(ESLINT) electron-bridge demo examples tests
	$(PRETTIER) --log-level warn --check $(SCRIPT_SOURCES)

schemas: setup
	$(PYTHON) -m deskbus_protocol.export
	$(PYTHON) -m deskbus.export
	$(PYTHON) -m deskbus.languages.pseudo_locale

packages: setup
	scripts/packages --check
	$(PYTHON) -m pytest -n0 tests/packages/installation.py $(PYTEST_ARGS)

requirements: setup
	$(PYTHON) -m tests.requirements_page

.PHONY: load
load:
	@scripts/setup --bench
	$(PYTHON) -m tests.performance.mixed_load

.PHONY: control-load
control-load:
	@scripts/setup --bench
	$(PYTHON) -m tests.performance.control_load

.PHONY: chaos
chaos: setup
	$(PYTHON) -m tests.performance.faults

.PHONY: mutate
mutate: setup
	$(PYTHON) -m tests.mutation $(PACKAGE) $(MUTATE_ARGS)

# FDC3 is a checkout of https://github.com/finos/FDC3, at the tag whose suite is to run.
.PHONY: fdc3-conformance
fdc3-conformance: setup
	@test -n '$(FDC3)' || { echo 'FDC3=PATH names a checkout of finos/FDC3' >&2; exit 2; }
	$(PYTHON) -m tests.conformance '$(FDC3)' --route '$(ROUTE)' --only '$(ONLY)'

.PHONY: scan
scan:
	@scripts/setup --scan
	$(PYTHON) -m tests.scan $(SCAN_ARGS)

docs: setup
	NO_MKDOCS_2_WARNING=1 "$$(scripts/tools requirements-docs.txt)" -m mkdocs build --quiet --strict
	@echo 'the site is in build/site/index.html'

bench:
	@scripts/setup --bench
	$(PYTHON) -m tests.performance.bench $(BENCH_ARGS)

bench-compiled:
	@scripts/setup --bench
	@scripts/compile
	PYTHONPATH=$(COMPILED) $(PYTHON) -m tests.performance.bench $(BENCH_ARGS)

soak: setup
	$(PYTHON) -m tests.performance.soak --minutes $(MINUTES)

fuzz:
	@scripts/setup --fuzz
	$(PYTHON) -m tests.performance.fuzz --seconds $(SECONDS)
	$(PYTHON) -m tests.performance.fuzzing.guided --seconds $(SECONDS)

crash-test: setup
	$(PYTHON) -m tests.performance.crash

format: setup
	.venv/bin/ruff format $(PYTHON_SOURCES)
	.venv/bin/ruff check --fix $(PYTHON_SOURCES)
	$(PRETTIER) --log-level warn --write $(SCRIPT_SOURCES)

clean:
	rm -rf .venv build dist electron-bridge/dist electron-bridge/node_modules .hypothesis .ruff_cache
