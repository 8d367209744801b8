# The front door: run, test, check, bench. Everything installs into .venv from a hashed lock.
PYTHON ?= python3
PY = .venv/bin/python
PIP = $(PY) -m pip install --quiet --disable-pip-version-check --no-input --require-hashes
LOCK = .venv/bin/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --no-annotate

# A desk as production would have it, for `check --deploy`. The public key is nobody's.
DEPLOYED = TAPELINE_DATA=.venv/check PUBLIC_URL=https://desk.example \
	SECRET_KEY=only-for-the-check-0123456789-abcdefghijklmnopqrstuvwxyz \
	TELNYX_API_KEY=KEY0 TELNYX_CONNECTION_ID=1 \
	TELNYX_PUBLIC_KEYS=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=

.PHONY: run test check format bench torture lock clean

run: .venv/local
	@exec $(PY) manage.py run --end-with-parent

test: .venv/dev
	@exec $(PY) -m tests.everywhere

check: .venv/dev
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	find */ -path 'var/*' -prune -o -name '*.html' -print0 | xargs -0r .venv/bin/djade --check
	$(PY) -m mypy .
	$(PY) manage.py makemigrations --check --dry-run
	$(DEPLOYED) $(PY) manage.py check --deploy --fail-level WARNING
	$(PY) -m pytest -q -p no:cacheprovider tests/test_architecture.py

format: .venv/dev
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .
	find */ -path 'var/*' -prune -o -name '*.html' -print0 | xargs -0r .venv/bin/djade

bench: .venv/dev
	@exec $(PY) manage.py bench $(ARGS)

torture: .venv/dev
	$(PY) -m pytest -q -m long
	@exec $(PY) manage.py torture $(ARGS)

lock: .venv/dev
	$(LOCK) --all-extras pyproject.toml -o requirements-dev.txt
	$(LOCK) --extra local -c requirements-dev.txt pyproject.toml -o requirements.txt

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tapeline needs Python 3.11 or newer; choose one: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv

.venv/local: requirements.txt | $(PY)
	@echo "Installing packages into .venv, once"
	@$(PIP) -r requirements.txt
	@touch $@

.venv/dev: requirements-dev.txt | .venv/local
	@echo "Installing the developer's packages into .venv, once"
	@$(PIP) -r requirements-dev.txt
	@touch $@
