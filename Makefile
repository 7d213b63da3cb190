# Thin: each target calls one tool. `make run` needs only Python >= 3.11, pip, make and git.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run compiled test check fmt bench fuzz soak docs lock
run: $(VENV)/.installed
	@exec $(BIN)/headway up $(ARGS)

compiled: $(VENV)/.installed-dev
	@PYTHONPATH=platform $(BIN)/python -m compiled.build

test: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.run $(ARGS)

check: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.check

fmt: $(VENV)/.installed-dev
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

bench: $(VENV)/.installed-dev
	@PYTHONPATH=platform $(BIN)/python -m compiled.build || true # it says why there is none
	@$(BIN)/python -m benchmarks $(ARGS)

fuzz: $(VENV)/.installed-dev
	@PYTHONPATH=platform:. $(BIN)/python -m tests.fuzz $(ARGS)

soak: $(VENV)/.installed-dev
	@PYTHONPATH=platform:. $(BIN)/python -m benchmarks.soak $(ARGS)

docs: $(VENV)/.installed
	@$(BIN)/headway schema --pages docs/reference/kinds

lock: $(VENV)/.installed-dev
	@sh scripts/lock.sh $(BIN)/uv

$(VENV)/.installed: requirements.lock pyproject.toml
	@sh scripts/install.sh "$(PYTHON)" $(VENV) requirements.lock

$(VENV)/.installed-dev: requirements-dev.lock pyproject.toml
	@sh scripts/install.sh "$(PYTHON)" $(VENV) requirements-dev.lock
