"""Prepares `make run`: adds a random ADMIN_TOKEN and ENCRYPTION_KEY to `.env` where there is none; all else stays.

An ENCRYPTION_KEY is added only while no channel has a key: those that are there lie plain, or are encrypted with
another one that is missing here, and what becomes of them is the operator's word (scripts/encrypt_keys.py).

Prints what the start is told besides, for `env`: WEB_PROXY=open, where nothing was said of it and nobody but this
machine reaches the gateway. It is decided anew at each start and never written, since HOST may be another next time.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.config import Config, ConfigError, env_file, load_config
from app.other_names import OTHER_NAMES
from app.storage.at_hand import redis_at_hand
from app.storage.connections import RedisError
from app.storage.embedded import EmbeddedRedisError, server_directory
from app.storage.keys.encryption import holds_keys, noted

PATIENCE_S = 2.0
"""For a Redis that does not answer. The start itself waits for longer, and says so."""


def complete(file: Path, environ: Mapping[str, str]) -> bool:
    """Adds a token where neither the environment nor the file has one. Only the owner may read the file."""
    names = {"ADMIN_TOKEN"} | {name for name, other in OTHER_NAMES.items() if other.ours == "ADMIN_TOKEN"}
    is_missing = not names & _said(file, environ)
    if is_missing:
        _append(file, f"# The password of /admin.\nADMIN_TOKEN={secrets.token_urlsafe(24)}\n")
    return is_missing


def complete_encryption(file: Path, environ: Mapping[str, str]) -> bool:
    """Adds an encryption key where there is none and nothing is stored that it could not open."""
    if "ENCRYPTION_KEY" in _said(file, environ):
        return False
    try:
        is_wanted = _holds_nothing(load_config())
    except (ConfigError, EmbeddedRedisError, RedisError):
        return False  # the gateway says it
    if is_wanted:
        comment = "# Encrypts the keys of channels in Redis. Keep a copy elsewhere: without it they are lost."
        _append(file, f"{comment}\nENCRYPTION_KEY={secrets.token_urlsafe(32)}\n")
    return is_wanted


def _holds_nothing(config: Config) -> bool:
    """Whether Redis has no keys of channels, nor is one of several gateways where another one encrypts."""
    if config.redis_url is None and not server_directory(config.data_dir).exists():
        return True
    with redis_at_hand(config, PATIENCE_S) as client:
        if holds_keys(client):
            return False
        is_shared = config.redis_url is not None and bool(noted(client))
    if is_shared:
        text = "A gateway with an ENCRYPTION_KEY was at work in this Redis. Give this one the same, or one of its own"
        print(f"{text}; until then it stores keys plain.", file=sys.stderr)
    return not is_shared


def only_for_this_start(file: Path, environ: Mapping[str, str]) -> list[str]:
    """Assignments for the environment of the gateway."""
    try:
        config = load_config()
    except ConfigError:
        return []  # the gateway says it
    return ["WEB_PROXY=open"] if not config.exposure and "WEB_PROXY" not in _said(file, environ) else []


def _said(file: Path, environ: Mapping[str, str]) -> set[str]:
    filed = dotenv_values(file) if file.exists() else {}
    return {name for name, value in {**filed, **environ}.items() if (value or "").strip()}


def _append(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a+", encoding="utf-8") as stream:
        os.fchmod(descriptor, 0o600)
        stream.seek(0)
        before = stream.read()
        gap = "" if not before or before.endswith("\n") else "\n"
        stream.write(gap + text)


if __name__ == "__main__":
    env = env_file(os.environ)
    if complete(env, os.environ):
        print(f"Wrote a random ADMIN_TOKEN to {env}", file=sys.stderr)
    if complete_encryption(env, os.environ):
        print(f"Wrote a random ENCRYPTION_KEY to {env}; keep a copy of it elsewhere", file=sys.stderr)
    print(*only_for_this_start(env, os.environ))
