"""A request's path below a channel's base URL.

https://x.example/v1              /v1/chat/completions    /v1/chat/completions
https://x.example/api             /v1/chat/completions    /api/v1/chat/completions
https://x.example/api/paas/v4     /v1/chat/completions    /api/paas/v4/chat/completions    with `exact`
"""

from __future__ import annotations

import re

_VERSION = re.compile(r"((?:/upload)?)/v1(?:beta)?(?=/|\Z)")


def base_path_for(path: str, exact: bool) -> str:
    """What of a base URL's path stands before a request's: without a last `v1` or `v1beta`, unless it is `exact`."""
    path = path.rstrip("/")
    if exact:
        return path
    head, _, last = path.rpartition("/")
    return head if last in ("v1", "v1beta") else path


def upstream_path(base_path: str, path: str, exact: bool) -> str:
    """The path to ask for, below a base path of `base_path_for`; with `exact` the request's own version is left out."""
    return base_path + (_VERSION.sub(r"\1", path, count=1) if exact else path)
