"""What a client says of its own tries, by fields of OpenAI's and Anthropic's SDKs and of Codex."""

from __future__ import annotations

import re
from typing import Final

from app.wire.http.headers import Headers, find

_COUNT: Final = "x-stainless-retry-count"
_REQUEST_ID: Final = "x-client-request-id"
_NUMBER = re.compile(r"[0-9]{1,6}", re.ASCII)


def told_repeats(fields: Headers) -> int:
    """How often the client has tried before; 0 where it does not say. Claude Code says 0 each time."""
    told = find(fields, _COUNT)
    return int(told) if told is not None and _NUMBER.fullmatch(told) else 0


def request_id(fields: Headers) -> str:
    """The client's own id of a request, the same in each of its tries; empty where it sends none."""
    return find(fields, _REQUEST_ID) or ""
