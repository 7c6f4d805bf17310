"""Secrets among the values that an operator said: passwords of proxies, and what fields of requests may carry.

Keys are secrets as a whole and stand elsewhere; of access tokens nothing is stored but hashes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from app.core.network.addresses import MASK
from app.core.snapshot import CHANNELS, MAPPINGS

OPTIONS: Final = MAPPINGS.tables[1]
TEXTS: Final = CHANNELS.tables[0]
_CREDENTIAL: Final = re.compile(r"auth|key|token|secret|cookie|passw|credential|session|sign", re.IGNORECASE)
"""In the name of a field: its value may open something."""
Seal = Callable[[str, str], str]
"""Of a text, and of what it is bound to."""


class Place(NamedTuple):
    """Where a secret stands: `holder[name]`."""

    holder: dict[str, Any]
    name: str
    path: str


def places(table: str, value: Any) -> Iterator[Place]:
    """All places of a value of this table at which a secret may stand."""
    said = value.get("said") if table == TEXTS and isinstance(value, dict) else value if table == OPTIONS else None
    if not isinstance(said, dict):
        return
    if "proxy_url" in said:
        yield Place(said, "proxy_url", "proxy_url")
    rules = said.get("header_rules")
    for number, rule in enumerate(rules if isinstance(rules, list) else ()):
        if isinstance(rule, dict) and _CREDENTIAL.search(str(rule.get("name", ""))) and rule.get("value"):
            yield Place(rule, "value", f"header_rules[{number}] {rule['name']}")
    rules = said.get("body_rules")
    for number, rule in enumerate(rules if isinstance(rules, list) else ()):
        is_meant = isinstance(rule, dict) and _CREDENTIAL.search(str(rule.get("path", "")))
        if is_meant and isinstance(rule.get("value"), str | dict):
            yield Place(rule, "value", f"body_rules[{number}] {rule['path']}")


def leave_out(table: str, value: Any) -> list[str]:
    """Takes the secrets out of a value, in place. Where any was: a proxy without a password has none."""
    left = []
    for holder, name, path in places(table, value):
        bare = without_secret(name, holder[name])
        if bare != holder[name]:
            holder[name] = bare
            left.append(path)
    return left


def without_secret(name: str, text: Any) -> Any:
    if not isinstance(text, str):
        return text
    if name != "proxy_url":
        return MASK
    try:
        parts = urlsplit(text)
        if parts.password is None:
            return text
    except ValueError:
        return MASK
    userinfo, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{userinfo.partition(':')[0]}@{host}"))


def seal(table: str, field: str, value: Any, sealing: Seal) -> None:
    """Puts `{"encrypted": ...}` in the place of each secret of a value."""
    for holder, name, path in places(table, value):
        if isinstance(holder[name], str) and without_secret(name, holder[name]) != holder[name]:
            holder[name] = {"encrypted": sealing(holder[name], _bound_to(table, field, path))}


def unseal(table: str, field: str, value: Any, opening: Seal) -> None:
    """The reverse."""
    for holder, name, path in places(table, value):
        sealed = holder[name]
        if isinstance(sealed, dict) and isinstance(sealed.get("encrypted"), str):
            holder[name] = opening(sealed["encrypted"], _bound_to(table, field, path))


def keep_known(table: str, value: Any, known: Any) -> list[str]:
    """Puts into a value of which secrets were left out those that are known of the same one; which are missing."""
    at = {place.path: place for place in places(table, known)}
    missing = []
    for holder, name, path in places(table, value):
        there = at.get(path)
        if there is not None and without_secret(name, there.holder[name]) == holder[name]:
            holder[name] = there.holder[name]
        elif (name != "proxy_url" and holder[name] == MASK) or (name == "proxy_url" and _lacks_password(holder[name])):
            missing.append(path)
    return missing


def _lacks_password(url: Any) -> bool:
    """Whether it names a user without a password."""
    return isinstance(url, str) and "@" in url and ":" not in url.partition("://")[2].rpartition("@")[0]


def _bound_to(table: str, field: str, path: str) -> str:
    return f"{table} {field} {path}"
