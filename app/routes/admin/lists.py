"""What lists of the admin API share: a page of them by keyset, and what the query may ask for."""

from __future__ import annotations

from collections.abc import Collection

from flask import request

from app.routes.admin.answers import AdminError

PAGE = 50
MOST = 500


def page_size() -> int:
    """`?limit=`. Raises AdminError."""
    text = request.args.get("limit", str(PAGE))
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= MOST:
        raise AdminError(400, "invalid", f"limit must be a whole number from 1 to {MOST}, not {text!r}", "limit")
    return int(text)


def asked_words(name: str, choices: Collection[str]) -> list[str]:
    """Those of some words that a parameter names, with commas between them; none where it is not given."""
    words = [word.strip() for word in request.args.get(name, "").split(",") if word.strip()]
    for word in words:
        if word not in choices:
            raise AdminError(400, "invalid", f"{name} must be of {', '.join(choices)}, not {word!r}", name)
    return words


def asked_flag(name: str, *, default: bool) -> bool:
    """`true` or `false`. Raises AdminError."""
    text = request.args.get(name, "").strip().lower() or str(default).lower()
    if text not in ("true", "false", "1", "0"):
        raise AdminError(400, "invalid", f"{name} must be true or false, not {text[:60]!r}", name)
    return text in ("true", "1")
