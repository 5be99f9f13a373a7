# SPDX-License-Identifier: GPL-2.0
#
# Every verb a user types. Each delegates to harness/iddr, which does the work
# and checks what it is given; `harness/iddr --help` has more.

IDDR := harness/iddr
EXP ?= quick
SIZE ?= quick
SECONDS ?= 600
# Bash gives this name a meaning of its own.
unexport SECONDS

.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## install packages (as root), fetch Xen and the kernel, build tools, modules and the root image
	@$(IDDR) setup

doctor: ## say what this machine has and which testbed it would use
	@$(IDDR) doctor

build: setup ## build the kernel modules and the tools
	@$(IDDR) build

experiment: setup ## measure configs/experiments/$(EXP): tables in results/, figures in plots/out/
	@$(IDDR) experiment "$(EXP)" --size "$(SIZE)" $(if $(RUN),--run "$(RUN)")

experiments: setup ## measure all of configs/experiments in SIZE=smoke, quick or full
	@$(IDDR) experiments --size "$(SIZE)"

figures: ## draw the figures of EXP's newest run (or RUN=...) again, without measuring
	@$(IDDR) figures --exp "$(EXP)" $(if $(RUN),"$(RUN)")

report: ## one HTML page of EXP's newest run (or RUN=...), beside its tables: figures, tables, manifest
	@$(IDDR) report --exp "$(EXP)" $(if $(RUN),"$(RUN)")

claims: ## check CLAIMS.md against the committed tables, or against RUN=... of EXP
	@$(if $(RUN)$(filter file,$(origin EXP)),,$(error EXP=$(EXP) has no RUN: name a run of yours, as in EXP=native RUN=mine, or neither for the committed tables))
	@$(IDDR) claims $(if $(RUN),--exp "$(if $(filter file,$(origin EXP)),native,$(EXP))" --run "$(RUN)")

soak: setup ## two processes on the ring, changing modes, every byte checked, for SECONDS=3600
	@$(IDDR) soak --seconds "$(if $(filter file,$(origin SECONDS)),3600,$(SECONDS))"

faults: setup ## crash the driver under load, isolated and not, SIZE=smoke|quick|full: a table of what is left
	@$(IDDR) faults --size "$(if $(filter file,$(origin SIZE)),smoke,$(SIZE))" $(if $(RUN),--run "$(RUN)")

paper: ## make paper/iddr.pdf; installs TeX (as root)
	@$(IDDR) paper

compare: ## ratios with a verdict: of mode B over mode A of EXP, or of run or experiment B over A
	@$(IDDR) compare "$(A)" "$(B)" --exp "$(EXP)" $(if $(RUN),--run "$(RUN)")

test: setup ## run all tests; ends with a count of passed and failed
	@harness/tests/run

test-full: export IDDR_FULL := 1
test-full: setup ## run all tests and those that take long: every combination with the stock drivers, saving a domain, hosts by ssh, the report in a browser
	@harness/tests/run

unit: setup ## run the tests that need no testbed
	@harness/tests/run static c unit

fuzz: setup ## fuzz the pure code for SECONDS=600 in all; OUT=DIR: write DIR/summary.tsv
	@$(IDDR) fuzz --seconds "$(SECONDS)" $(if $(OUT),--out "$(OUT)")

up: setup ## boot the testbed (nothing if it is up)
	@$(IDDR) up

down: ## stop the testbed
	@$(IDDR) down

status: ## show domains, modes, counters and health
	@$(IDDR) status

clean: down ## stop the testbed, remove build/ and with it the emulated NVMe disk (results and ~/.cache/iddr stay)
	rm -rf build

.PHONY: help setup doctor build experiment experiments figures report claims soak faults paper compare test test-full unit fuzz up down status clean
