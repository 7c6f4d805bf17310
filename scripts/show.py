"""Asks a gateway on this machine and shows its answer: `python scripts/show.py health` (or stats).

HOST and PORT come from the environment and `.env`. Ends with 0 for a 200, else with 1: fit for a container's health
check.
"""

from __future__ import annotations

import http.client
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.config import ConfigError, load_config

TIMEOUT_S = 5.0
_HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask one that listens everywhere


def main(arguments: list[str]) -> int:
    """The command. Returns its exit code."""
    if arguments not in (["health"], ["stats"]):
        print("usage: python scripts/show.py health|stats", file=sys.stderr)
        return 1
    try:
        config = load_config()
        host = _HERE.get(config.host, config.host)
        status, body = _get(host, config.port, f"/{arguments[0]}")
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    except (OSError, http.client.HTTPException) as error:
        print(f"No gateway answers at {host}:{config.port}: {error}", file=sys.stderr)
        return 1
    print(_pretty(body))
    return 0 if status == 200 else 1


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
