"""Header fields as they travel: which may pass, in which order, and under which name.

A header block is a list of (name, value) pairs in the order, number and spelling of the wire.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

Headers = list[tuple[str, str]]

KNOWN_NAMES: Final[dict[str, str]] = {}
"""Field names that `wire.http1` has judged, and the same in lower case: clients and upstreams use few."""

# RFC 9110, 7.6.1, with the names that older software sends.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_NOT_TO_UPSTREAM = HOP_BY_HOP | {"content-length", "expect"}
_NOT_TO_CLIENT = HOP_BY_HOP
_USUAL_CONNECTION = frozenset({"", "keep-alive", "Keep-Alive", "close"})
"""Values of `Connection` that name no field which is not hop-by-hop already."""


def outbound(inbound: Headers, authority: str, connection: str) -> Headers:
    """What goes on to the upstream: the caller's end-to-end fields, with the target's `Host`.

    `connection` is the value of their `Connection`. How the body is framed is the transport's to say.
    """
    dropped = _NOT_TO_UPSTREAM
    if connection not in _USUAL_CONNECTION:
        dropped = dropped.union(tokens(connection)) - {"host"}
    fields = [field for field in inbound if lower(field[0]) not in dropped]
    for place, field in enumerate(fields):  # it is among the first
        if lower(field[0]) == "host":
            fields[place] = ("Host", authority)
            return fields
    return [("Host", authority), *fields]


def to_client(upstream: Headers, connection: str) -> Headers:
    """What goes back to the client: the upstream's end-to-end fields, `Content-Length` among them."""
    dropped = _NOT_TO_CLIENT
    if connection not in _USUAL_CONNECTION:
        dropped = dropped.union(tokens(connection)) - {"content-length"}
    return [field for field in upstream if lower(field[0]) not in dropped]


def lower(name: str) -> str:
    """A field's name in lower case."""
    return KNOWN_NAMES.get(name) or name.lower()


def by_name(headers: Headers) -> dict[str, str]:
    """The values by name in lower case; those of a repeated field as one list (RFC 9110, 5.3)."""
    values = {name.lower(): value for name, value in headers}
    if len(values) < len(headers):
        values = {}
        for name, value in headers:
            key = name.lower()
            values[key] = f"{values[key]}, {value}" if key in values else value
    return values


def find(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    """The first value of the field `name` (in lower case), or None."""
    length = len(name)
    for field, value in headers:
        if len(field) == length and field.lower() == name:
            return value
    return None


def find_all(headers: Iterable[tuple[str, str]], name: str) -> list[str]:
    """The values of all fields `name` (in lower case), in their order."""
    return [value for field, value in headers if field.lower() == name]


def tokens(value: str) -> list[str]:
    """The members of a comma-separated list, in lower case."""
    return [token for part in value.split(",") if (token := part.strip(" \t").lower())]
