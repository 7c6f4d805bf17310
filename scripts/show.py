"""Asks a gateway how it is: `python scripts/show.py health`, `stats` or `worker`.

The first two ask the web server at HOST and PORT and show its answer; 0 for a 200, else 1. The third asks Redis when a
worker last rolled up; 0 when that is not long ago. All three are fit for a container's health check.
"""

from __future__ import annotations

import http.client
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.config import Config, ConfigError, load_config

TIMEOUT_S = 5.0
ROLLED_LATELY_S = 30
"""A worker without work rolls up every 5 s still."""

_HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask one that listens everywhere


def main(arguments: list[str]) -> int:
    """The command. Returns its exit code."""
    if arguments not in (["health"], ["stats"], ["worker"]):
        print("usage: python scripts/show.py health|stats|worker", file=sys.stderr)
        return 1
    try:
        config = load_config()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    return show_worker(config) if arguments == ["worker"] else show_page(config, f"/{arguments[0]}")


def show_page(config: Config, path: str) -> int:
    """Prints what the web server says."""
    host = _HERE.get(config.host, config.host)
    try:
        status, body = _get(host, config.port, path)
    except (OSError, http.client.HTTPException) as error:
        print(f"No gateway answers at {host}:{config.port}: {error}", file=sys.stderr)
        return 1
    print(_pretty(body))
    return 0 if status == 200 else 1


def show_worker(config: Config) -> int:
    """Prints how long ago a worker rolled up, by Redis's own clock."""
    from app.core.network.addresses import mask_url
    from app.storage.connections import STATS_ROLLED_AT, RedisError, open_redis
    from app.storage.embedded import embedded_url
    from app.storage.refusals import describe

    url = config.redis_url or embedded_url(config.data_dir)
    try:
        with open_redis(url, tls_verify=config.redis_tls_verify, socket_timeout_s=TIMEOUT_S) as client:
            rolled_at_ms, now_s = client.get(STATS_ROLLED_AT), client.time()[0]
    except RedisError as error:
        print(f"Redis at {mask_url(url)} {describe(error)}", file=sys.stderr)
        return 1
    if rolled_at_ms is None:
        print("No worker has rolled up yet.")
        return 1
    age_s = now_s - int(rolled_at_ms) // 1000
    print(f"The last roll-up was {age_s} s ago.")
    return 0 if age_s <= ROLLED_LATELY_S else 1


def _get(host: str, port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _pretty(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body.decode(errors="replace")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
