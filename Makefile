# The front door: run, test, check, bench. Everything installs into .venv from a hashed lock.
PYTHON ?= python3
PY = .venv/bin/python

.PHONY: run test check format bench torture lock clean

.venv/local: requirements.txt
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	touch $@

.venv/dev: .venv/local requirements-dev.txt
	.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

lock: .venv/dev
	.venv/bin/uv pip compile -q --universal --all-extras --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml -o requirements-dev.txt
	.venv/bin/uv pip compile -q --universal --extra local --generate-hashes --no-emit-index-url --no-header --no-annotate -c requirements-dev.txt pyproject.toml -o requirements.txt
