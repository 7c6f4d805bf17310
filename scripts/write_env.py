"""Completes `.env` for `make run`, and keeps all else in it: a random ADMIN_TOKEN and, on loopback, WEB_PROXY=open."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.core.addresses import only_here

ENV_FILE = Path(__file__).resolve().parent.parent / ".env"


def complete(file: Path, environ: Mapping[str, str]) -> list[str]:
    """Adds what neither the environment nor the file says, and names it; only the owner may read the file."""
    filed = dotenv_values(file) if file.exists() else {}
    said = {name: value for name, value in {**filed, **environ}.items() if (value or "").strip()}
    lines = {}
    if "ADMIN_TOKEN" not in said:
        lines["ADMIN_TOKEN"] = f"# The password of /admin.\nADMIN_TOKEN={secrets.token_urlsafe(24)}\n"
    if "WEB_PROXY" not in said and only_here(said.get("HOST") or "127.0.0.1"):
        lines["WEB_PROXY"] = (
            "# Anybody on this machine may see web pages at /proxy/https://...\n"
            "# Say token before HOST is more than 127.0.0.1.\nWEB_PROXY=open\n"
        )
    if lines:
        _append(file, "".join(lines.values()))
    return list(lines)


def _append(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a+", encoding="utf-8") as stream:
        os.fchmod(descriptor, 0o600)
        stream.seek(0)
        before = stream.read()
        gap = "" if not before or before.endswith("\n") else "\n"
        stream.write(gap + text)


if __name__ == "__main__":
    added = complete(ENV_FILE, os.environ)
    if "ADMIN_TOKEN" in added:
        print(f"Wrote a random ADMIN_TOKEN to {ENV_FILE}", file=sys.stderr)
