"""`srcset` and `imagesrcset`: image candidates, each a URL and its descriptors (HTML standard, 4.8.4.2.2)."""

from __future__ import annotations

import re

from app.wire.pages.links import Links

# A URL ends only at a blank, so it may hold commas, as `data:` URLs do; commas at its end separate candidates.
# Whatever stands at a place, the pattern matches there, so that no place is looked at twice.
_CANDIDATE = re.compile(
    rb"[\t\n\f\r ,]*+"
    rb"(?:([^\t\n\f\r ,](?:[^\t\n\f\r ,]++|,++(?=[^\t\n\f\r ,]))*+)"
    rb"(?:,++|[^,(]*+(?:\([^)]*+(?:\)|\Z)[^,(]*+)*+))?+"
)


def rewrite_srcset(value: bytes, links: Links, encoding: str) -> bytes | None:
    """The value with its URLs rewritten, character references decoded before; None = it stays as it is."""
    out: list[bytes] = []
    copied = 0
    for candidate in _CANDIDATE.finditer(value):
        url = links.rewrite(candidate[1], encoding) if candidate[1] else None
        if url is not None:
            out += value[copied : candidate.start(1)], url
            copied = candidate.end(1)
    return b"".join([*out, value[copied:]]) if out else None
