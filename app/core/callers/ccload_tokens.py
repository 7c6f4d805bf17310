"""API tokens as ccLoad keeps them in its database, and the access tokens that they mean.

It keeps of a token's text the SHA-256 alone, as we do, so whoever has the text goes on with it. Money stands in its
database in millionths of a dollar, times in Unix milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from typing import Any, Final, NamedTuple

from app.core.callers.definition import parse_access_token
from app.core.channels.ccload_rows import Row, texts_of, whole
from app.core.errors import InvalidChannel
from app.core.money.amounts import show_usd

_NANO_OF_MICRO: Final = 1000
_NAME_LENGTH: Final = 100


class Meant(NamedTuple):
    said: dict[str, Any]
    """What of it is ours to say (core/callers/definition.py)."""
    digest: bytes
    hint: str
    """Of the digest, as ccLoad shows it: nobody knows the text."""
    notes: tuple[str, ...]


def meaning_of(row: Row, channels: MappingOf[int, str], now_ms: int) -> Meant:
    """`channels`: the ids here of ccLoad's channels. Raises Invalid for what cannot be taken."""
    digest = _digest(str(row["token"]))
    expires_at_ms = whole(row, "expires_at")
    if 0 < expires_at_ms <= now_ms:
        raise InvalidChannel("it has expired", "expires_at")
    text = str(row.get("description") or "").strip() or f"ccLoad token {row['id']}"
    notes: list[str] = []
    said = {
        "name": " ".join(text.split())[:_NAME_LENGTH],
        "note": text if len(text) > _NAME_LENGTH else "",
        "enabled": bool(row.get("is_active", 1)),
        "expires_at_ms": expires_at_ms or None,
        "models": list(dict.fromkeys(texts_of(row, "allowed_models"))),
        "max_concurrency": whole(row, "max_concurrency"),
        "routes": _routes(row, channels, notes),
        "budgets": _budgets(row, notes),
    }
    hint = f"{digest.hex()[:4]}…{digest.hex()[-4:]}"
    parse_access_token(str(row["id"]), said, digest, hint)
    return Meant(said, digest, hint, tuple(notes))


def _digest(text: str) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise InvalidChannel("it is kept in a form that is not known: neither its text nor its SHA-256", "token")
    return digest


def _routes(row: Row, channels: MappingOf[int, str], notes: list[str]) -> dict[str, Any]:
    """A list that names channels which are not here opens no more than those that are."""
    named = texts_of(row, "allowed_channel_ids")
    if not named:
        return {"mode": "all"}
    known = [channels[int(text)] for text in named if text.isdecimal() and int(text) in channels]
    if len(known) < len(named):
        notes.append(f"{len(named) - len(known)} of the channels that it names are not here")
    mode = "deny" if str(row.get("channel_restriction_mode") or "") == "deny" else "allow"
    return {"mode": mode, "channels": list(dict.fromkeys(known))}


def _budgets(row: Row, notes: list[str]) -> dict[str, str]:
    """Of a total what is left of it: what it has spent here begins at 0."""
    budgets = {}
    total, used = (whole(row, f"cost_{name}_microusd") for name in ("limit", "used"))
    if total:
        budgets["total_usd"] = _usd(max(0, total - used))
        if used:
            notes.append(f"${_usd(used)} of its ${_usd(total)} were spent: its total budget is the rest")
    for period, field in (("daily", "day_usd"), ("monthly", "month_usd")):
        if limit := whole(row, f"cost_{period}_limit_microusd"):
            budgets[field] = _usd(limit)
    return budgets


def _usd(micro: int) -> str:
    text = show_usd(micro * _NANO_OF_MICRO)
    return text.rstrip("0").rstrip(".")
