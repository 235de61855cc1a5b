# Everything that a bare machine needs: Python 3.10 to 3.13, make and gcc. `make help` lists the commands.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules

# The ROS 2 that is installed: jazzy (long-term support) or kilted, each in an environment of its own.
ROS ?= jazzy
VENV := $(CURDIR)/.venv$(if $(filter-out jazzy,$(ROS)),-$(ROS))
PY := $(VENV)/bin/python
OUT ?= out

# The environment of every command below, set here and nowhere else.
# A sourced ROS installation must not mix with the ROS wheels in .venv (docs/install.md), so its paths are
# taken out again.
export AMENT_PREFIX_PATH := $(VENV)
export RMW_IMPLEMENTATION := rmw_fastrtps_cpp
empty :=
space := $(empty) $(empty)
export LD_LIBRARY_PATH := $(subst $(space),:,$(filter-out /opt/ros/%,$(subst :, ,$(LD_LIBRARY_PATH))))
unexport PYTHONPATH PYTHONHOME _ROS_WHEELS_BOOTSTRAP_COMPLETE COLCON_PREFIX_PATH

.PHONY: help demo test lint data train eval rank bench tiny small arms clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.installed  ## imagine and score a simulated robot's plans [ROBOT=kuka, SEED=1003, LOOP=1, LOOP=1 WORLD=drive, OUT=out, ARGS=...]
	@$(VENV)/bin/astra demo --out $(OUT) $(if $(ROBOT),--robot $(ROBOT)) $(if $(SEED),--seed $(SEED)) $(if $(LOOP),--loop) $(if $(WORLD),--world $(WORLD)) $(ARGS)

# Two processes: the native libraries of planners, runtimes and ROS need not get on with each other.
test: lint  ## check the code, then run the whole test suite [ARGS=-x]
	@failed=0; \
	$(PY) -m pytest --durations=15 --ignore=test/nodes $(ARGS) || failed=1; \
	$(PY) -m pytest --durations=15 $(ARGS) test/nodes || failed=1; \
	exit $$failed

# All three speak before make stops, so that one run shows every complaint; without complaints they say nothing.
lint: $(VENV)/.installed  ## check style, layout and types
	@failed=0; \
	$(VENV)/bin/ruff check --quiet . || failed=1; \
	$(VENV)/bin/ruff format --quiet --check . || failed=1; \
	$(VENV)/bin/mypy --no-error-summary || failed=1; \
	exit $$failed

data: $(VENV)/.installed  ## record training episodes from the simulator [ARGS=--help]
	@$(VENV)/bin/astra record $(ARGS)

train eval rank bench: $(VENV)/.installed
	@$(VENV)/bin/astra $@ $(ARGS)
train:  ## train a world model on them [ARGS=--help]
eval:   ## measure a model on held-out scenes [ARGS=--help]
rank:   ## compare scores with what the simulator then does [ARGS=--help]
bench:  ## measure latency and throughput [ARGS=--help]

tiny: $(VENV)/.installed  ## make the shipped astra-tiny again: hours, goes on when stopped
	$(VENV)/bin/astra record --out data/train --episodes 700
	$(VENV)/bin/astra train --data data/train --out runs/astra-tiny --dynamics-steps 18000 --compile
	$(VENV)/bin/astra export --run runs/astra-tiny --out models/astra-tiny
	$(VENV)/bin/astra record --out data/styles --episodes 75 --two-styles
	$(VENV)/bin/astra style models/astra-tiny --data data/styles --replace

small: $(VENV)/.installed  ## make the shipped astra-small again, beside astra-tiny's autoencoder: needs a GPU, goes on when stopped
	$(VENV)/bin/astra record --out data/train128 --episodes 400 --size 128
	$(VENV)/bin/astra record --out data/train128 --worlds pushing lanes --episodes 400 --first-seed 100000 --size 128
	$(VENV)/bin/astra train --preset small --autoencoder tiny --data data/train128 --out runs/astra-small --autoencoder-steps 0 \
		--dynamics-steps 4300 --dynamics-batch 128 --compositor-steps 4000
	$(VENV)/bin/astra export --run runs/astra-small --out models/astra-small
	$(VENV)/bin/astra record --out data/styles128 --episodes 75 --two-styles --size 128
	$(VENV)/bin/astra style models/astra-small --data data/styles128 --style-batch 16 --replace

arms: $(VENV)/.installed  ## make the like of the shipped astra-arms, from astra-small: five hours, goes on when stopped
	$(VENV)/bin/astra record --out data/arms128 --worlds pushing --episodes 1090 --first-seed 200000 --size 128 --crf 10
	$(VENV)/bin/astra record --out data/arms128 --worlds arm --episodes 370 --first-seed 5000 --size 128 --crf 10
	$(VENV)/bin/astra train --from small --object-token --data data/arms128 --out runs/astra-arms --autoencoder-steps 0 \
		--dynamics-steps 3000 --dynamics-batch 32 --dynamics-rate 4e-4 --warmup-steps 60 --starts-every 2 --moved-weight 1 \
		--outcome-weight 3 --compositor-steps 3100
	$(VENV)/bin/astra record --out data/arms128-branches --worlds pushing --branches 4 --seconds 16 --episodes 100 \
		--first-seed 300000 --size 128 --crf 10
	$(VENV)/bin/astra record --out data/arms128-branches --worlds arm --branches 4 --seconds 4 --episodes 250 \
		--first-seed 310000 --size 128 --crf 10
	$(VENV)/bin/astra train --from runs/astra-arms/model --data data/arms128 --branches data/arms128-branches \
		--out runs/astra-arms-branches --autoencoder-steps 0 --dynamics-steps 800 --dynamics-batch 32 --dynamics-rate 4e-4 \
		--warmup-steps 60 --starts-every 2 --moved-weight 1 --outcome-weight 3 --compositor-steps 0
	$(VENV)/bin/astra export --run runs/astra-arms-branches --out models/astra-arms
	cp models/astra-small/style.safetensors models/astra-arms/
	$(VENV)/bin/astra monitor --model models/astra-arms --write

clean:  ## delete .venv, .venv-kilted, out and every build product; data/ and runs/ stay
	rm -rf .venv .venv-kilted out build install log dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Made anew only when what it installs has changed. The stamp is written last, so a broken download is repeated.
$(VENV)/.installed: constraints.txt constraints-$(ROS).txt setup.py pyproject.toml package.xml
	@test -x $(PY) || for python in $(PYTHON) python3.11 python3.10 python3.12 python3.13 python3; do \
		$$python -c 'import ensurepip, sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null \
			&& $$python -m venv $(VENV) && break; \
	done; test -x $(PY) || { echo "make: no Python 3.10 to 3.13 with venv found (Debian, Ubuntu: apt install" \
		"python3-venv); name one with 'make $(MAKECMDGOALS) PYTHON=/path/to/python3.11'" >&2; exit 1; }
	@echo "Installing real ROS 2 $(ROS), torch and this package into $(notdir $(VENV)) (once; some minutes) ..."
	@# the wheels of another set would not all be replaced: their names differ
	@test "$$(cat $(VENV)/.ros 2>/dev/null)" = $(ROS) || $(PY) -m pip list --format=freeze 2>/dev/null \
		| sed -n 's/^\(ros-.*\)==.*/\1/p' | xargs -r $(PY) -m pip uninstall --quiet --yes
	@$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -c constraints-$(ROS).txt -e '.[all]'
	@echo $(ROS) > $(VENV)/.ros
	@touch $@
