# Set-up, image, run, test, lint, bench. `make help` lists them; the README says more.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

CACHE   := $(if $(ORLOP_CACHE),$(ORLOP_CACHE),$(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME)/orlop,$(HOME)/.cache/orlop))
CARGO   := cargo
ORLOP   := target/debug/orlop
OUT     := out/standalone
KEYS    := out/keys
KEYSET  := $(KEYS)/keys.toml
NEXT    := out/next-keys
COMPILE  = $(CARGO) build --locked --quiet -p orlop
DENY    := $(CACHE)/tools/cargo-deny-0.20.2/bin/cargo-deny

# By the list's hash: another list is another folder.
VALIDATORS_LIST := builder/tests/image/validators.txt
export ORLOP_TEST_VALIDATORS := $(CACHE)/tools/validators-$(shell sha256sum $(VALIDATORS_LIST) | cut -c 1-12)

# What a fresh Debian 12 or 13 lacks, by what it is for.
PACKAGES_BUILD   := build-essential ca-certificates curl git gpgv python3 python3-pip xz-utils
PACKAGES_LAB     := dnsmasq-base iproute2 nftables procps util-linux
PACKAGES_RUN     := ovmf qemu-system-x86 qemu-utils
PACKAGES_WITNESS := chromium cpio cryptsetup-bin dosfstools e2fsprogs gdisk mtools opensc openssl sbsigntool softhsm2 util-linux xorriso

# Another release of Go than Debian's does as well.
GO := $(if $(shell command -v go),,golang-go)

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

# $(1): packages. Installs those that are missing, and says which.
define install
	@missing=(); \
	for package in $(1); do \
	  dpkg-query -W -f='$${Status}' "$$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$$package"); \
	done; \
	if (( $${#missing[@]} )); then \
	  if [[ $$(id -u) != 0 ]]; then \
	    echo "setup: these packages are missing; install them as root, then run make again:"; \
	    echo "  apt-get install --no-install-recommends $${missing[*]}"; exit 1; \
	  fi; \
	  echo "setup: apt-get install $${missing[*]}"; \
	  apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$${missing[@]}" >/dev/null; \
	fi
endef

.PHONY: setup
setup: ## install what is missing, and say what that is
	$(call install,$(PACKAGES_BUILD) $(PACKAGES_LAB) $(PACKAGES_RUN) $(GO))
	@command -v rustup >/dev/null || { echo "setup: Rust is missing; install rustup as its own site says, then run make again"; exit 1; }
	@channel=$$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml); \
	if ! rustup component list --toolchain "$$channel" --installed 2>/dev/null | grep -q 'rust-std-x86_64-unknown-linux-musl' \
	  || ! rustup component list --toolchain "$$channel" --installed | grep -q '^clippy'; then \
	  echo "setup: rustup toolchain install $$channel, with clippy, rustfmt and the musl target"; \
	  rustup toolchain install "$$channel" --profile minimal --component clippy,rustfmt --target x86_64-unknown-linux-musl; \
	fi

# Other people's tools that tests hold our formats against; an image needs none of them.
.PHONY: witnesses
witnesses: setup
	$(call install,$(PACKAGES_WITNESS))

.PHONY: orlop
orlop: setup
	@$(COMPILE)

$(KEYSET): | orlop
	@$(ORLOP) keygen $(KEYS) --development

# Those after a rotation, for its test.
$(NEXT)/keys.toml: | orlop
	@$(ORLOP) keygen $(NEXT) --development --name Next

.PHONY: image
image: orlop $(KEYSET) ## build the standalone image into out/standalone
	@$(ORLOP) build images/standalone.toml --keys $(KEYS) --out $(OUT) --relock-gone

.PHONY: test-images
test-images: image cluster-image $(NEXT)/keys.toml ## the images that only the boot tests use
	@for name in probe wipe workloads; do \
	  $(ORLOP) build qemu-tests/images/$$name.toml --keys $(KEYS) --out out/$$name --relock-gone; \
	done
	@$(ORLOP) build qemu-tests/images/rotated.toml --keys $(NEXT) --out out/rotated --relock-gone

.PHONY: lab-tools
lab-tools: orlop ## the programs of the tests' control plane, registry and pods
	@$(ORLOP) programs qemu-tests/lab/tools.toml --out out/lab-tools --relock-gone

.PHONY: run
run: image ## boot it in QEMU until kubelet is healthy and its pod runs
	@$(ORLOP) run $(OUT)/standalone.raw --until pod hello

.PHONY: cluster
cluster: COMPILE = $(CARGO) build --locked --quiet -p orlop -p orlop-machine --features orlop-machine/lab
cluster: cluster-image lab-tools ## a control plane and two nodes in QEMU, and a kubeconfig; Ctrl-C ends it
	@target/debug/orlop-lab cluster --image out/cluster/cluster.raw --folder out/lab

.PHONY: cluster-image
cluster-image: orlop $(KEYSET) ## build the image that joins the lab's cluster into out/cluster
	@$(ORLOP) build qemu-tests/images/lab.toml --keys $(KEYS) --out out/cluster --relock-gone

# What a clean checkout's `make test` (which is `.ci/run`) takes from here on is kept for `make bench`, by what it began
# with: nothing at all, or a full cache. Where something is compiled already, the time would say little.
BEGAN := $(shell date +%s)
CLEAN := $(if $(wildcard target),,$(if $(wildcard $(CACHE)/results),cached,cold))
keep-time = $(if $(CLEAN),if (( status == 0 )); then echo $$(( $$(date +%s) - $(BEGAN) )) >out/test-$(CLEAN).seconds; fi;)

# One invocation of cargo for all tests, so that the workspace is compiled once, and `orlop` with it: alone it would have
# its dependencies with fewer features, and they would be compiled twice. The many summaries are added up into the one
# line that stands last.
FAST := orlop/image,orlop-machine/boot
LONG := orlop/image,orlop/slow,orlop-machine/slow,orlop-net/slow
test bench: COMPILE = $(CARGO) test --locked --quiet --no-run --workspace --features $(FAST)
test-slow: COMPILE = $(CARGO) test --locked --quiet --no-run --workspace --features $(LONG)
define run-tests
	@mkdir -p out; status=0; \
	RUST_BACKTRACE=0 $(CARGO) test --locked --workspace --no-fail-fast --features $(1) 2>&1 | tee out/test.log || status=$$?; \
	$(2) \
	awk '/^test result:/ { passed += $$4; failed += $$6 } END { printf "%d passed, %d failed\n", passed, failed }' out/test.log; \
	exit $$status
endef

.PHONY: test
test: witnesses lint test-images lab-tools $(ORLOP_TEST_VALIDATORS) ## all tests that fit the budget, boot tests included
	$(call run-tests,$(FAST),$(keep-time) echo "left to make test-slow: $(SLOW)";)

SLOW := some rows of the matrix; fuzzing forty times as long; a privileged pod without Secure Boot; in the lab joining that does not work, the second boot, the graceful end, a wiped node, a pod that hears no SIGTERM, a stopped kubelet, certificates renewed, make cluster, emptyDir's limits, leases, clouds and clocks that change, a node that is told everything, machines told by SMBIOS, volumes and the ESP, killed programs, an absent API server, critest, 110 pods; a kubelet that hangs; a kernel that crashes; power cuts at every flush; disks of 4x and 2 TiB; a rebuild that shares nothing; a second Kubernetes minor

.PHONY: test-slow
test-slow: witnesses lint test-images lab-tools $(ORLOP_TEST_VALIDATORS) ## the long rounds
	$(call run-tests,$(LONG),)

.PHONY: lint
lint: setup $(DENY) ## formatting, clippy, licences
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --locked --quiet --workspace --all-targets --features $(LONG) -- -D warnings
	@$(DENY) --log-level warn check licenses bans sources

$(DENY):
	@echo "setup: cargo install cargo-deny (once, into $(CACHE)/tools)"
	@$(CARGO) install cargo-deny --quiet --locked --debug --no-default-features --version 0.20.2 --root $(CACHE)/tools/cargo-deny-0.20.2

$(ORLOP_TEST_VALIDATORS): | setup
	@echo "setup: pip install of the validators of SPDX, CycloneDX and SARIF (once, into $(CACHE)/tools)"
	@rm -rf $@.partial
	@python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --require-hashes --no-deps --only-binary=:all: --target $@.partial -r $(VALIDATORS_LIST)
	@mv -T $@.partial $@

# The peers' tools come from a Debian 13 of their own, kept in the cache; without root they are named as missing.
.PHONY: bench
bench: witnesses image cluster-image lab-tools ## the promised numbers beside their peers, and a node's, into out/bench*.json (BENCH=--cold: a cold build too)
	@if ! command -v mmdebstrap >/dev/null && [[ $$(id -u) == 0 ]]; then \
	  echo "bench: apt-get install mmdebstrap"; \
	  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends mmdebstrap >/dev/null; \
	fi
	@$(ORLOP) programs builder/benches/peers/govulncheck.toml --out out/bench-tools --relock-gone
	@$(CARGO) build --locked --quiet --release -p orlop
	@$(CARGO) bench --locked --quiet --workspace --features $(FAST) --bench peers --profile dev -- $(BENCH)
	@$(CARGO) bench --locked --quiet --workspace --features $(FAST) --bench node --profile dev
