# Start here. `make run` and `make test` do all their set-up themselves on Debian 12
# and 13, as root or as a user with sudo. `make` alone lists the targets.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL: # suites would compete for the processor; ninja builds in parallel

# Options of the server: ARGS="-s http.listen=0.0.0.0:8080". Of the test suites:
# UNIT=REGEX selects ctest cases, E2E="a.test.js b.test.js" selects files. WERROR=ON
# turns warnings into errors in the release build, too.
ARGS ?=
UNIT ?=
E2E ?=
FAULT ?=
CONFORMANCE ?=
CLIENTS ?=
MODEL ?=
WERROR ?= OFF
UNIT_JOBS ?= 8
E2E_JOBS ?= 3
FUZZ_SECONDS ?= 60
BIN := build/release/confab

BUILD_PACKAGES := gcc libc6-dev cmake ninja-build pkg-config \
	libmosquitto-dev libmicrohttpd-dev liblmdb-dev libxxhash-dev libmsgpack-dev libev-dev \
	libsodium-dev libinih-dev libsystemd-dev uthash-dev \
	libgnutls28-dev libwslay-dev zlib1g-dev libcurl4-openssl-dev systemtap-sdt-dev
# node=, chromium= and the like: not installed if the command already exists.
UNIT_PACKAGES := libcmocka-dev python3=python3
TEST_PACKAGES := node=nodejs node=npm chromium=chromium \
	mosquitto_pub=mosquitto-clients mosquitto curl=curl \
	python3-paho-mqtt python3-requests openssl=openssl faketime
# The proxies that docs/operations.md has recipes for. apache2-bin contains no service;
# apt-install stops the services of the others (nginx's is in nginx-common).
PROXY_PACKAGES := nginx-core nginx-common libnginx-mod-stream caddy apache2-bin haproxy
# The peers, and matplotlib for the plots. nginx-common is listed because it contains
# nginx's service, and apt-install stops only services of packages in its arguments.
BENCH_PACKAGES := mosquitto nginx-core nginx-common libnginx-mod-nchan \
	nats-server pushpin condure zurl python3-matplotlib python3=python3
FUZZ_PACKAGES := clang llvm libclang-rt-dev
COVERAGE_PACKAGES := gcovr

# Errors go to stderr.
configure = cmake --log-level=WARNING --preset $(1) $(2) >/dev/null
compile = cmake --build --preset

help: ## list these targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 16

# ---- the server

deps: ## install what the build needs (apt; does nothing if all is installed)
	@scripts/apt-install $(BUILD_PACKAGES)

build: deps ## build/release/confab
	@$(call configure,release,-DCONFAB_WERROR=$(WERROR))
	@$(compile) release --target confab

run: build ## build and start the server: ARGS="-s http.listen=..."
	@exec $(BIN) run $(ARGS)

# ---- tests

unit-deps: deps ## install what the unit tests need in addition (neither Node nor a browser)
	@scripts/apt-install $(UNIT_PACKAGES)

test-deps: unit-deps ## install what all tests need in addition
	@scripts/apt-install $(TEST_PACKAGES)

# Builds everything of a preset: program, unit tests, replay of the fuzzers' corpora.
build-all-%: unit-deps
	@$(call configure,$*,$(if $(filter release,$*),-DCONFAB_WERROR=$(WERROR)))
	@$(compile) $*

# npm writes this file last, so its time is that of the installation.
NODE_MODULES := test/e2e/node_modules/.package-lock.json
$(NODE_MODULES): test/e2e/package-lock.json | test-deps
	cd test/e2e && npm ci --no-audit --no-fund --ignore-scripts
	@touch $@

# More at a time than there are processors, because many tests only wait.
ctest = ctest --preset $(1) -j $(UNIT_JOBS) $(if $(UNIT),-R '$(UNIT)')
# The binary's path is absolute because the suite runs in its own folder. Files mostly
# wait, and Node would run one less at a time than there are processors.
node-test = cd test/e2e && CONFAB_BIN='$(CURDIR)/build/$(1)/confab' \
	node --test --test-concurrency=$(E2E_JOBS) --test-reporter=spec $(E2E)

# For the time while you write: no optimisation, and without the cases labelled slow.
check-fast: build-all-dev ## format, dev build, unit tests, arrows, docs: under a minute once built
	@scripts/format --check
	$(call ctest,dev) -LE slow

test: test-unit test-e2e test-conformance test-fault test-model test-proxies ## unit, end-to-end, conformance, fault, model and proxy tests; does its own set-up

test-unit: build-all-release ## unit tests and corpus replay: UNIT=REGEX
	$(call ctest,release)

test-e2e: build-all-release $(NODE_MODULES) ## real clients against the real server: E2E=FILES
	$(call node-test,release)

test-conformance: build-all-release $(NODE_MODULES) ## the normative statements of MQTT 5.0 and 3.1.1: CONFORMANCE=ARGUMENTS
	CONFAB_BIN='$(CURDIR)/$(BIN)' test/conformance/run $(CONFORMANCE)

test-fault: build-all-release $(NODE_MODULES) ## kill -9, cut links, full disks: FAULT=ARGUMENTS
	CONFAB_BIN='$(CURDIR)/$(BIN)' test/fault/run $(FAULT)

test-model: build-all-release $(NODE_MODULES) ## random clients against a reference model, with kills: MODEL='--seeds 1-100'
	CONFAB_BIN='$(CURDIR)/$(BIN)' test/model/run $(MODEL)

test-proxies: build-all-release $(NODE_MODULES) ## the server behind each proxy of docs/operations.md
	@scripts/apt-install $(PROXY_PACKAGES)
	CONFAB_BIN='$(CURDIR)/$(BIN)' test/proxies/run

test-clients: build $(NODE_MODULES) ## client libraries of other languages, as far as their toolchains are installed: CLIENTS="paho-go gmqtt"
	CONFAB_BIN='$(CURDIR)/$(BIN)' test/clients/run $(CLIENTS)

# Without address space randomisation where the kernel allows it: with the 32 random
# bits of newer kernels, the addresses that gcc 12's sanitizers need may be taken.
SETARCH = $$(setarch -R true 2>/dev/null && echo setarch -R)
# CONFAB_SLOW makes all time limits longer (test/e2e/harness).
ASAN = CONFAB_SLOW=1 ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1 \
	UBSAN_OPTIONS=print_stacktrace=1 $(SETARCH)
# Three threads of each kind: more interleavings than the two of the other runs.
TSAN = CONFAB_SLOW=1 CONFAB_WORKERS=3 TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=$(CURDIR)/test/tsan.supp \
	$(SETARCH)

test-asan: build-all-asan $(NODE_MODULES) ## unit and e2e with address and undefined sanitizers
	$(ASAN) $(call ctest,asan)
	$(ASAN) sh -c "$(call node-test,asan)"

test-tsan: build-all-tsan $(NODE_MODULES) ## unit and e2e with the thread sanitizer
	$(TSAN) $(call ctest,tsan)
	$(TSAN) sh -c "$(call node-test,tsan)"

fuzz-deps: unit-deps
	@scripts/apt-install $(FUZZ_PACKAGES)

fuzz: fuzz-deps build-all-fuzz ## run each fuzz harness for FUZZ_SECONDS; findings in build/fuzz/findings
	@scripts/fuzz build/fuzz $(FUZZ_SECONDS)

coverage: build-all-coverage $(NODE_MODULES) ## unit and e2e; lines not covered in build/coverage/index.html
	@scripts/apt-install $(COVERAGE_PACKAGES)
	find build/coverage -name '*.gcda' -delete
	$(call ctest,coverage)
	$(call node-test,coverage)
	gcovr --root . --object-directory build/coverage --exclude test/ \
		--html-details build/coverage/index.html --print-summary \
		--output build/coverage/summary.txt build/coverage

# ---- the rest

RELEASE ?= trixie
test-debian: ## make test in a chroot of another Debian release, as root: RELEASE=trixie
	scripts/debian $(RELEASE) test

cross: ## build for ARCH=arm64, i386 or armhf in such a chroot; for i386 also run the unit tests
	scripts/debian $(RELEASE) build $(ARCH)

bench: build ## measure all rows against floor and peers, with plots; about an hour: ARGS=--quick
	@scripts/apt-install $(BENCH_PACKAGES)
	@$(compile) release --target benchmarks/all
	CONFAB_BIN='$(CURDIR)/$(BIN)' benchmarks/run $(ARGS)

soak: build ## thousands of clients connect and disconnect, ten minutes: ARGS='--duration 60'
	@scripts/apt-install python3=python3
	@$(compile) release --target benchmarks/all
	CONFAB_BIN='$(CURDIR)/$(BIN)' benchmarks/soak $(ARGS)

format: ## format all C files with clang-format 14
	@scripts/format

format-check: ## check the format of all C files; FORMAT=--must fails if clang-format 14 is missing
	@scripts/format --check $(FORMAT)

# Uses the dev build's compile commands, so generated files must exist.
tidy: build-all-dev ## clang-tidy 14 with the checks that .clang-tidy chooses and explains
	@scripts/apt-install run-clang-tidy-14=clang-tidy-14
	run-clang-tidy-14 -quiet -j $$(nproc) -p build/dev \
		'^$(CURDIR)/(base|store|broker|bridge|cli)/'

clean: ## remove build/ (test/e2e/node_modules stays)
	rm -rf build

.PHONY: help deps build run check-fast format-check tidy unit-deps test test-deps test-unit test-e2e test-conformance \
	test-fault test-model test-debian cross test-asan test-tsan fuzz fuzz-deps coverage bench soak format clean
