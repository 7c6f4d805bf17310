"""A call that an operator tries, as a WSGI request that the gateway's own door takes."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Final

from app.core.model import AccessToken
from app.routes.admin.answers import AdminError
from app.routes.wsgi_environ import Environ
from app.wire.dialects.credentials import FIELDS
from app.wire.http.forwarded import is_forwarded, is_of_a_hop
from app.wire.http.headers import HOP_BY_HOP, Headers, find

MAX_FIELDS: Final = 64
MAX_FIELD_CHARACTERS: Final = 16_384
"""Of a name and its value."""
USER_AGENT: Final = "playground"
"""What upstream and log are told, unless the operator names another."""

_NAME = re.compile(r"[!#$%&'*+.^`|~0-9A-Za-z-]+")
"""A field's name (RFC 9110, 5.6.2), without `_`, which passes for `-` with many servers."""
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_TARGET = re.compile(r"/[!-\"$-~]*")
_KEY = re.compile(r"(?:^|&)key(?:=|&|$)")
"""Where a query may show a credential."""
_CREDENTIAL = re.compile(r"authorization|cookie|credential|jwt|passw|secret|(?:^|-)(?:key|token)$")
_NOT_ONE: Final = frozenset({"idempotency-key"})
_OURS_TO_SAY: Final = HOP_BY_HOP | {
    "content-length", "expect", "host", "http2-settings", "origin", "referer", "service-worker",
}  # fmt: skip
"""Of the connection, its framing, or the browser that asks us."""
_OURS_BEGIN: Final = ("access-control-", "proxy-", "sec-", "x-gateway-")
_KEPT: Final = ("REMOTE_ADDR", "SERVER_NAME", "SERVER_PORT", "HTTP_HOST", "wsgi.url_scheme", "gunicorn.socket")
"""What holds of the operator's own request too."""


def call_of(outer: Environ, token: AccessToken, method: str, target: str, said: dict[str, str], body: bytes) -> Environ:
    """The environ of the call. `outer`: that of the operator's request. Raises AdminError."""
    _check_target(target)
    fields = _fields(said)
    if find(fields, "user-agent") is None:
        fields.append(("User-Agent", USER_AGENT))
    if body and find(fields, "content-type") is None:
        fields.append(("Content-Type", "application/json"))
    path, _, query = target.partition("?")
    inner: Environ = {name: outer[name] for name in _KEPT if name in outer}
    for name, value in fields:
        key = name.upper().replace("-", "_")
        inner[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    if "HTTP_HOST" in inner:
        fields.append(("Host", inner["HTTP_HOST"]))
    return inner | {
        "REQUEST_METHOD": method,
        "RAW_URI": target,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
        "gateway.headers": fields,
        "gateway.token": token,
    }


def _check_target(target: str) -> None:
    if not _TARGET.fullmatch(target):
        text = "path must begin with a slash and be ASCII without blanks and #, such as /v1/chat/completions"
        raise AdminError(400, "invalid", text, "path")
    if _KEY.search(target.partition("?")[2]):
        text = "path must not show a credential: the call is made as the access token, so leave key= out"
        raise AdminError(400, "invalid", text, "path")


def _fields(said: dict[str, str]) -> Headers:
    """Raises AdminError."""
    if len(said) > MAX_FIELDS:
        raise AdminError(
            400, "invalid", f"headers has {len(said)} fields; at most {MAX_FIELDS} are possible", "headers"
        )
    fields = [(name, value.strip(" \t")) for name, value in said.items()]
    for name, value in fields:
        if wrong := _what_is_wrong(name, value):
            raise AdminError(400, "invalid", f"headers: {wrong}", f"headers.{name}"[:200])
    return fields


def _what_is_wrong(name: str, value: str) -> str:
    """Empty: the field may go."""
    shown, key = name[:100], name.lower()
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        return f"{shown!r} is no field of HTTP; write names of letters, digits and -, and values in one line"
    if len(name) + len(value) > MAX_FIELD_CHARACTERS:
        return f"{shown} is longer than {MAX_FIELD_CHARACTERS:,} characters"
    if key in FIELDS or (_CREDENTIAL.search(key) and key not in _NOT_ONE):
        return f"{shown} may hold a credential; leave it out, for the call is made as the access token"
    if key in _OURS_TO_SAY or key.startswith(_OURS_BEGIN) or is_forwarded(key) or is_of_a_hop(key):
        return f"{shown} is the gateway's or the connection's to say; leave it out"
    return ""
