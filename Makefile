# GeminiFusion3D: `make help` lists the targets.
# The first of these that starts; .ci/run tests the oldest in full.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.10; do \
	$$name -c '' 2> /dev/null && echo $$name && break; done)
VENV ?= .venv
DEMO_ARGS ?=
COMPARE_ARGS ?=
TEST_ARGS ?=
TEST_JOBS ?= 2
BIN = $(VENV)/bin/python
GEMINI3D = $(BIN) -m geminifusion3d
SOURCES = projects tools tests setup.py

.DEFAULT_GOAL := help
.PHONY: help setup check demo keyframe compare test lint docs clean clean-venv clean-wheels

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name text; do \
		printf '  make %-13s %s\n' "$$name" "$$text"; done
	@echo '  PYTHON=/path/to/python3.11, VENV=folder, DEMO_ARGS="--fresh", TEST_ARGS="-k fusion", TEST_JOBS=4'
	@echo '  COMPARE_ARGS="--only lidar gemini --jobs 2"'

setup: ## create or bring up to date the environment in .venv, then check it
	@command -v "$(PYTHON)" > /dev/null || { echo "error: $(or $(PYTHON),Python) was not found, expected" \
		"Python 3.10 to 3.13; install it or run: make $(or $(MAKECMDGOALS),setup) PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) tools/setup_env.py --venv $(VENV)

check: ## check the environment and say what to do about each problem
	@$(GEMINI3D) check

demo: setup ## synthetic nuScenes -> training -> mAP / NDS -> submission -> report
	@$(GEMINI3D) demo $(DEMO_ARGS)

keyframe: setup ## overfit one real keyframe (KEYFRAME=folder) to prove calibration and boxes
	@$(GEMINI3D) keyframe $(if $(KEYFRAME),--dataroot $(KEYFRAME))

compare: setup ## train all fusers and ablations on a synthetic world -> table in docs/comparison.md
	@$(GEMINI3D) compare $(COMPARE_ARGS)

test: setup lint ## environment, linters, all tests
	OMP_NUM_THREADS=1 $(BIN) -m pytest -q -n $(TEST_JOBS) --dist worksteal --durations=15 $(TEST_ARGS)

lint: ## flake8 with pydoclint, isort, autopep8, mypy, codespell; their settings are in setup.cfg
	$(BIN) -m flake8 $(SOURCES)
	$(BIN) -m isort --check --diff --quiet $(SOURCES)
	$(BIN) -m autopep8 --diff --exit-code --recursive $(SOURCES)
	$(BIN) -m mypy
	$(BIN) -m codespell_lib $(SOURCES) README.md CHANGELOG.md docs/*.md Makefile setup.cfg mkdocs.yml

docs: setup ## the documentation as a site in build/site; every warning is an error
	@$(BIN) -m pip install --quiet --disable-pip-version-check -c requirements/constraints.lock -r requirements/docs.txt
	@NO_MKDOCS_2_WARNING=1 $(BIN) -m mkdocs build --strict --quiet
	@echo 'docs: build/site/index.html'

clean: ## remove caches and build leftovers; data/, work_dirs/ and .venv stay
	rm -rf build *.egg-info .pytest_cache
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

clean-venv: ## remove the environment
	rm -rf $(VENV)

clean-wheels: ## remove the cached mmcv wheels; the next set-up compiles mmcv again
	rm -rf $${XDG_CACHE_HOME:-$$HOME/.cache}/geminifusion3d/wheels
