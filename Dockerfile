# The whole gateway in one container: web, worker, and a Redis of its own where no REDIS_URL is given.
# Fit for a Hugging Face Docker Space: port 8000, user 1000, nothing written outside /home/gateway.

# The hot path is compiled in a stage of its own: the compilers stay there.
FROM python:3.11-slim AS compiled
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev
WORKDIR /home/gateway/app
COPY requirements-compile.txt pyproject.toml ./
RUN pip install --no-cache-dir --require-hashes --prefer-binary -r requirements-compile.txt
COPY app ./app
COPY scripts ./scripts
RUN python scripts/compile.py

FROM python:3.11-slim

# Python's own bytecode is not in its image; web processes run the one without docstrings.
RUN python -m compileall -q -x '/(test|idlelib|lib2to3|site-packages)/' -o 0 -o 2 /usr/local/lib/python3.11

RUN useradd --create-home --uid 1000 gateway
USER gateway
WORKDIR /home/gateway/app

# The dependencies are a layer of their own: it is built again only when the lock changes.
COPY --chown=gateway requirements.txt ./
RUN python -m venv /home/gateway/venv \
    && /home/gateway/venv/bin/pip install --no-cache-dir --require-hashes --prefer-binary -r requirements.txt \
    && /home/gateway/venv/bin/python -m compileall -q -o 2 /home/gateway/venv
ENV PATH=/home/gateway/venv/bin:$PATH

COPY --chown=gateway app ./app
COPY --chown=gateway worker ./worker
COPY --chown=gateway admin_ui ./admin_ui
COPY --chown=gateway scripts ./scripts
COPY --chown=gateway gunicorn.conf.py pyproject.toml LICENSE ./
COPY --from=compiled --chown=gateway /home/gateway/app/build ./build
# Else each process compiles them anew when it starts, those of the health check too.
RUN python -m compileall -q -o 0 -o 2 app worker scripts

# Made here so that a volume mounted on it belongs to the user.
RUN mkdir -m 700 data

ENV HOST=0.0.0.0 \
    PORT=8000 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
EXPOSE 8000

HEALTHCHECK --interval=15s --timeout=6s --start-period=20s --retries=3 \
    CMD ["python", "scripts/show.py", "health"]

CMD ["python", "-m", "app"]
