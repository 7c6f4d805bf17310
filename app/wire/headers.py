"""Header fields as they travel: which may pass, in which order, and under which name.

A header block is a list of (name, value) pairs in the order, number and spelling of the wire.
"""

from __future__ import annotations

from collections.abc import Iterable

Headers = list[tuple[str, str]]

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
_USUAL_CONNECTION = frozenset({"keep-alive", "Keep-Alive", "close"})
"""Values of `Connection` that name no field which is not hop-by-hop already."""


def outbound(inbound: Headers, authority: str) -> Headers:
    """What goes on to the upstream: the caller's end-to-end fields, with the target's `Host`.

    How the body is framed is the transport's to say.
    """
    dropped = _NOT_TO_UPSTREAM
    named = _named_by_connection(inbound)
    if named:
        dropped |= named - {"host"}
    fields = []
    has_host = False
    for field in inbound:
        name = field[0].lower()
        if name == "host":
            has_host = True
            fields.append(("Host", authority))
        elif name not in dropped:
            fields.append(field)
    if not has_host:
        fields.insert(0, ("Host", authority))
    return fields


def to_client(upstream: Headers) -> Headers:
    """What goes back to the client: the upstream's end-to-end fields, `Content-Length` among them."""
    dropped = _NOT_TO_CLIENT
    named = _named_by_connection(upstream)
    if named:
        dropped |= named - {"content-length"}
    return [field for field in upstream if field[0].lower() not in dropped]


def find(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    """The first value of the field `name` (in lower case), or None."""
    length = len(name)
    for field, value in headers:
        if len(field) == length and field.lower() == name:
            return value
    return None


def tokens(value: str) -> list[str]:
    """The members of a comma-separated list, in lower case."""
    return [token for part in value.split(",") if (token := part.strip(" \t").lower())]


def _named_by_connection(headers: Headers) -> frozenset[str]:
    named: frozenset[str] = frozenset()
    for name, value in headers:
        if len(name) == 10 and value not in _USUAL_CONNECTION and name.lower() == "connection":
            named |= frozenset(tokens(value))
    return named
