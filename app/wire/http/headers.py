"""Header fields as they travel: which may pass, in which order, and under which name.

A header block is a list of (name, value) pairs in the order, number and spelling of the wire.
"""

from __future__ import annotations

from typing import Final

from app.wire.http.forwarded import is_forwarded, is_of_a_hop

Headers = list[tuple[str, str]]

MAX_KNOWN_NAMES: Final = 2048
MAX_KNOWN_NAME_BYTES: Final = 64
"""Names that nobody else would send are not remembered: they would hold memory for as long as the process lives."""
KNOWN_NAMES: Final[dict[str, str]] = {}
"""Field names that `wire.http1` has judged, and the same in lower case: clients and upstreams use few."""

# RFC 9110, 7.6.1, with the names that older software sends.
HOP_BY_HOP: Final = frozenset(
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
_USUAL_CONNECTION: Final = frozenset({"", "keep-alive", "Keep-Alive", "close"})
"""Values of `Connection` that name no field which is not hop-by-hop already."""


# What a request's field is to us. How most are is one look-up in `_KINDS`.
_UNKNOWN: Final = 0
_END_TO_END: Final = 1
_HOST: Final = 2
_OURS: Final = 3
"""Hop-by-hop, or of the framing, which is the transport's to say."""
_OF_A_HOP: Final = 4
_FORWARDED: Final = 5
_KINDS: Final[dict[str, int]] = {}


def outbound(inbound: Headers, authority: str, connection: str, forwarded_fields: str) -> Headers:
    """What goes on to the upstream: the caller's end-to-end fields, with the target's `Host`.

    `connection` is the value of their `Connection`. What a CDN or a router before us added never goes on; what any
    reverse proxy may have added (`X-Forwarded-For` and its like) goes by `forwarded_fields`: `drop`, `pass`, or `auto`,
    which drops it where another field shows that a CDN was there.
    """
    fields: Headers = []
    has_host = was_forwarded = met_a_hop = False
    for field in inbound:
        kind = _KINDS.get(field[0], _UNKNOWN) or _learn(field[0])
        if kind == _END_TO_END:
            fields.append(field)
        elif kind == _HOST:
            has_host = True
            fields.append(("Host", authority))
        elif kind == _OF_A_HOP:
            met_a_hop = True
        elif kind == _FORWARDED and forwarded_fields != "drop":
            was_forwarded = True
            fields.append(field)
    if was_forwarded and met_a_hop and forwarded_fields == "auto":
        fields = [field for field in fields if not is_forwarded(lower(field[0]))]
    if connection not in _USUAL_CONNECTION:
        dropped = frozenset(tokens(connection)) - {"host"}
        fields = [field for field in fields if lower(field[0]) not in dropped]
    return fields if has_host else [("Host", authority), *fields]


def _learn(name: str) -> int:
    """The kind of a field by its name. Whoever sends odd names must not slow the usual ones for good."""
    key = name.lower()
    kind = _END_TO_END
    if key == "host":
        kind = _HOST
    elif key in HOP_BY_HOP or key in ("content-length", "expect"):
        kind = _OURS
    elif is_of_a_hop(key):
        kind = _OF_A_HOP
    elif is_forwarded(key):
        kind = _FORWARDED
    if len(name) <= MAX_KNOWN_NAME_BYTES:
        if len(_KINDS) >= MAX_KNOWN_NAMES:
            _KINDS.clear()
        _KINDS[name] = kind
    return kind


def to_client(upstream: Headers, connection: str) -> Headers:
    """What goes back to the client: the upstream's end-to-end fields, `Content-Length` among them."""
    dropped = HOP_BY_HOP
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


def find(headers: Headers, name: str) -> str | None:
    """The first value of the field `name` (in lower case), or None."""
    length = len(name)
    for field, value in headers:
        if len(field) == length and field.lower() == name:
            return value
    return None


def has_any(headers: Headers, names: frozenset[str]) -> bool:
    """True when there is a field with one of these names (in lower case)."""
    for field, _ in headers:  # noqa: SIM110 - a generator would cost more than the rest
        if (KNOWN_NAMES.get(field) or field.lower()) in names:
            return True
    return False


def find_all(headers: Headers, name: str) -> list[str]:
    """The values of all fields `name` (in lower case), in their order."""
    return [value for field, value in headers if field.lower() == name]


def tokens(value: str) -> list[str]:
    """The members of a comma-separated list, in lower case."""
    return [token for part in value.split(",") if (token := part.strip(" \t").lower())]
