"""Asks a gateway: `python scripts/show.py health`, `stats`, `worker`, `blacklist` or `reset-keys`.

All but `worker` ask the web server at HOST and PORT and show its answer; 0 for a 200, else 1. `worker` asks Redis when
a worker last rolled up; 0 when that is not long ago. These three are fit for a container's health check. The last two
are the admin's: which keys are out of their pools; brings them back, and reads KEYS_FILE again.
"""

from __future__ import annotations

import http.client
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.config import Config, ConfigError, load_config

PAGES = {"health": "/health", "stats": "/stats", "blacklist": "/blacklist", "reset-keys": "/reset-keys"}
ADMINS = ("blacklist", "reset-keys")
TIMEOUT_S = 5.0
ADMIN_TIMEOUT_S = 60.0
"""A hundred thousand keys take a while."""
ROLLED_LATELY_S = 30
"""A worker without work rolls up every 5 s still."""

_HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask one that listens everywhere


def main(arguments: list[str]) -> int:
    """The command. Returns its exit code."""
    if len(arguments) != 1 or arguments[0] not in (*PAGES, "worker"):
        print(f"usage: python scripts/show.py {'|'.join((*PAGES, 'worker'))}", file=sys.stderr)
        return 1
    try:
        config = load_config()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    [what] = arguments
    if what == "worker":
        return show_worker(config)
    if what not in ADMINS:
        return show_page(config, PAGES[what])
    if config.admin_token is None:
        print("The admin is shut: set ADMIN_TOKEN, in the environment or in .env, and start again.", file=sys.stderr)
        return 1
    return show_page(config, PAGES[what], {"Authorization": f"Bearer {config.admin_token}"}, ADMIN_TIMEOUT_S)


def show_page(config: Config, path: str, fields: dict[str, str] | None = None, timeout_s: float = TIMEOUT_S) -> int:
    """Prints what the web server says."""
    host = _HERE.get(config.host, config.host)
    try:
        status, body = _get(host, config.port, path, fields or {}, timeout_s)
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


def _get(host: str, port: int, path: str, fields: dict[str, str], timeout_s: float) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", path, headers=fields)
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
