# `make run` starts the gateway and `make test` tests it; both set themselves up. `make help` lists the rest.
#
# Variables on the command line or in the environment win over .env: make run PORT=9000 HOST=0.0.0.0 WEB_CONCURRENCY=2

VENV := .venv
PY := $(VENV)/bin/python
# Bytecode is kept, whatever the machine says elsewhere: pytest would rewrite all tests' assertions anew in each process.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(PY) -m pytest
PIP_INSTALL := $(PY) -m pip install --disable-pip-version-check --require-hashes --prefer-binary -r

# What web processes run, without docstrings. A process that has to compile as it starts stays 9 MB larger.
BYTECODE := $(PY) -m compileall -qq -j 0 -o 2

# Where PYTHONSAFEPATH keeps Python from looking for modules here, it finds them so.
export PYTHONPATH := $(CURDIR)$(if $(PYTHONPATH),:$(PYTHONPATH))

.DEFAULT_GOAL := help
.PHONY: help run dev demo pictures compile test soak test-servers coverage bench lint fmt settings-page seed health stats blacklist reset-keys lock clean docker-build docker-run

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# `exec`: the gateway takes the shell's place, so that a signal to make's child is a signal to the gateway.
run: $(VENV)/installed-run ## start the gateway (Redis, worker, web) on http://127.0.0.1:8000
	@$(BYTECODE) app || true
	@told=$$($(PY) scripts/write_env.py) && exec env $$told $(PY) -m app

dev: $(VENV)/installed-dev ## the same, and loads the code again when it changes
	@told=$$($(PY) scripts/write_env.py) && \
	  LOG_LEVEL=$${LOG_LEVEL:-DEBUG} GUNICORN_CMD_ARGS="--reload $$GUNICORN_CMD_ARGS" exec env $$told $(PY) -m app

demo: $(VENV)/installed-run ## start a gateway with 30 days of made-up calls, to look at (ARGS="--port 8100")
	@exec $(PY) -m scripts.demo $(ARGS)

pictures: $(VENV)/installed-dev ## take README's pictures anew, of that gateway (wants chromium)
	@exec $(PY) -m scripts.demo --pictures docs $(ARGS)

compile: $(VENV)/installed-compile ## compile the hot path: a small call costs about half (wants a C compiler)
	@$(PY) scripts/compile.py

BESIDE_EACH_OTHER := -n 5 --dist loadfile --no-loadscope-reorder

test: $(VENV)/installed-dev ## run the tests, against a real Redis
	@$(PYTEST) $(BESIDE_EACH_OTHER) -m "not soak and not timing" $(ARGS)

# What judges how long something takes runs alone, after the rest, which takes all cores. 1 means that some failed, 5 that
# there was no such test.
soak: $(VENV)/installed-dev ## run those that are long by nature, and those that judge times and want a quiet machine
	@$(PYTEST) $(BESIDE_EACH_OTHER) -m "soak and not timing" $(ARGS); first=$$?; \
	case $$first in 0|1|5) ;; *) exit $$first ;; esac; \
	$(PYTEST) -m timing $(ARGS); second=$$?; \
	if [ $$first -eq 1 ] || [ $$second -eq 5 ]; then exit $$first; fi; exit $$second

# uWSGI has no builds, so it is not among the locked dependencies: here it is compiled, which wants a C compiler.
UWSGI := uwsgi==2.0.31

test-servers: $(VENV)/installed-dev ## run what holds under any WSGI server under gunicorn's gevent worker and uWSGI
	@test -x $(VENV)/bin/uwsgi || $(PY) -m pip install --quiet --disable-pip-version-check $(UWSGI)
	@for server in gevent uwsgi; do \
	  echo "Under $$server:"; \
	  TEST_SERVER=$$server $(PYTEST) tests/proxy tests/routes tests/end_to_end $(ARGS) || exit; \
	done
	@$(PYTEST) tests/servers/test_uwsgi.py $(ARGS)

coverage: $(VENV)/installed-dev ## run all tests and say which lines they never reached
	@$(PYTEST) --cov=app --cov=worker --cov-report=term-missing $(ARGS)

bench: $(VENV)/installed-dev ## measure requests, events, web pages and memory
	@$(PY) scripts/compile.py || echo "Measuring the interpreted gateway."
	@$(BYTECODE) app || true
	@$(PY) -m benchmarks $(ARGS)

lint: $(VENV)/installed-dev ## check style and types
	@$(PY) -m ruff check .
	@$(PY) -m mypy

fmt: $(VENV)/installed-dev ## put the code into its usual form
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

settings-page: $(VENV)/installed-run ## write docs/settings.md anew from the table of settings
	@$(PY) scripts/settings_page.py

seed: $(VENV)/installed-run ## add the default mappings that are missing (ARGS="--file mappings.json": yours)
	@$(PY) scripts/init_redis.py $(ARGS)

health: $(VENV)/installed-run ## ask the running gateway how it is
	@$(PY) scripts/show.py health

stats: $(VENV)/installed-run ## show the running gateway's statistics
	@$(PY) scripts/show.py stats

blacklist: $(VENV)/installed-run ## show which keys are out of their pools, and why
	@$(PY) scripts/show.py blacklist

reset-keys: $(VENV)/installed-run ## bring those keys back, end the rests of keys, and read KEYS_FILE again
	@$(PY) scripts/show.py reset-keys

LOCK := $(PY) -m piptools compile --quiet --generate-hashes --no-strip-extras --allow-unsafe --no-header \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options

lock: $(VENV)/installed-dev ## resolve the dependencies anew (ARGS=--upgrade: to the newest)
	@$(PY) -m pip install --quiet --disable-pip-version-check pip-tools
	@$(LOCK) $(ARGS) -o requirements.txt pyproject.toml deploy/lock.in
	@$(LOCK) $(ARGS) --extra compile -c requirements.txt -o requirements-compile.txt pyproject.toml deploy/lock.in
	@$(LOCK) $(ARGS) --extra dev -c requirements-compile.txt -c requirements.txt -o requirements-dev.txt pyproject.toml deploy/lock.in

clean: ## remove what can be made again; .env and data stay
	@rm -rf $(VENV) build htmlcov .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache *.egg-info benchmarks/bin
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

docker-build: ## build the container image ai-api-gateway
	docker build -t ai-api-gateway .

docker-run: ## run that image on 127.0.0.1:8000, with the secrets of the environment or .env (ARGS="-e NAME=value")
	@export ADMIN_TOKEN="$${ADMIN_TOKEN:-$$(sed -n 's/^ADMIN_TOKEN=//p' .env 2>/dev/null)}"; \
	export ENCRYPTION_KEY="$${ENCRYPTION_KEY:-$$(sed -n 's/^ENCRYPTION_KEY=//p' .env 2>/dev/null)}"; \
	exec docker run --rm --init --stop-timeout 45 -p 127.0.0.1:$${PORT:-8000}:8000 \
	  -v ai-api-gateway-data:/home/gateway/app/data -e ADMIN_TOKEN -e ENCRYPTION_KEY $(ARGS) ai-api-gateway

# The setup. It runs when a lock file is newer than the last installation.

$(VENV)/installed-run: requirements.txt | $(VENV)/bin/python
	@echo "Installing the locked dependencies into $(VENV) ..."
	@$(PIP_INSTALL) requirements.txt
	@$(BYTECODE) $(VENV)/lib || true
	@touch $@

$(VENV)/installed-compile: requirements-compile.txt | $(VENV)/bin/python
	@echo "Installing the locked dependencies, and what compiles the hot path, into $(VENV) ..."
	@$(PIP_INSTALL) requirements-compile.txt
	@$(BYTECODE) $(VENV)/lib || true
	@touch $@ $(VENV)/installed-run

$(VENV)/installed-dev: requirements-dev.txt | $(VENV)/bin/python
	@echo "Installing the locked dependencies, and those of the tests, into $(VENV) ..."
	@$(PIP_INSTALL) requirements-dev.txt
	@$(BYTECODE) $(VENV)/lib || true
	@touch $@ $(VENV)/installed-run $(VENV)/installed-compile

$(VENV)/bin/python:
	@python=; \
	for candidate in $(PYTHON) python3.13 python3.12 python3.14 python3.11 python3; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    python=$$candidate; break; \
	  fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "No Python 3.11 or newer was found. Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; \
	  exit 1; \
	fi; \
	echo "Making a virtual environment in $(VENV) with $$python ..."; \
	"$$python" -m venv $(VENV) || { \
	  rm -f $(VENV)/bin/python; \
	  echo "$$python cannot make one. On Debian and Ubuntu: apt-get install python3-venv" >&2; \
	  exit 1; \
	}
