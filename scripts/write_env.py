"""Gives `.env` a random ADMIN_TOKEN when there is none, and keeps all else in it. `make run` calls this."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

ENV_FILE = Path(__file__).resolve().parent.parent / ".env"


def ensure_token(file: Path, environ: Mapping[str, str]) -> bool:
    """Adds the token unless the environment or the file has one; only the owner may read the file. True: added."""
    if environ.get("ADMIN_TOKEN", "").strip():
        return False
    if file.exists() and (dotenv_values(file).get("ADMIN_TOKEN") or "").strip():
        return False
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a+", encoding="utf-8") as stream:
        os.fchmod(descriptor, 0o600)
        stream.seek(0)
        before = stream.read()
        gap = "" if not before or before.endswith("\n") else "\n"
        stream.write(f"{gap}# The password of /admin.\nADMIN_TOKEN={secrets.token_urlsafe(24)}\n")
    return True


if __name__ == "__main__":
    if ensure_token(ENV_FILE, os.environ):
        print(f"Wrote a random ADMIN_TOKEN to {ENV_FILE}", file=sys.stderr)
