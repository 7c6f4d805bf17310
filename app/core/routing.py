"""Which mapping a raw request target belongs to, and which target it becomes. Also: what may be a mapping.

A route is found by dictionary look-ups of the path's own leading segments, longest first,
so the cost does not depend on the number of mappings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingOf
from types import MappingProxyType
from urllib.parse import quote, unquote, unquote_to_bytes

from app.core.channels.base_urls import refuse_blanks, upstream_of
from app.core.channels.definition import CHANNEL_TARGET
from app.core.errors import InvalidMapping
from app.core.kinds import Value
from app.core.model import NOWHERE, Mapping, Snapshot
from app.core.network.forward_proxies import parse_proxy_url
from app.core.settings import Limits

RESERVED_SEGMENTS = frozenset(
    {"", "admin", "api", "stats", "health", "metrics", "static", "proxy", "robots.txt", "favicon.ico", "index.html"}
)
"""First path segments that are the gateway's own."""

NEWLY_RESERVED_SEGMENTS = frozenset({"blacklist", "login", "logout", "public", "reset-keys", "web"})
"""The gateway's own since later: a mapping that is stored goes first, and no new one may take them."""

_SEGMENT_SAFE = ":@!$&'()*+,;=~"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def match(snapshot: Snapshot, raw_target: str) -> tuple[Mapping, str] | None:
    """The mapping of a request target in origin form (`/openai/v1/models?x=1`), and what to ask its upstream for.

    The longest prefix that ends at a `/`, a `?` or the end wins, in whatever spelling: encoded or as raw UTF-8, which
    WSGI shows as Latin-1. What follows it is appended verbatim.
    """
    path = raw_target.partition("?")[0]
    prefix = "/".join(path.split("/", snapshot.depth + 1)[: snapshot.depth + 1])
    if "%" in prefix or not prefix.isascii():
        return _match_respelled(snapshot, raw_target, prefix)
    while prefix:
        mapping = snapshot.routes.get(prefix)
        if mapping is not None:
            return mapping, _asked(mapping, raw_target[len(prefix) :])
        prefix = prefix.rpartition("/")[0]
    return None


def _match_respelled(snapshot: Snapshot, raw_target: str, prefix: str) -> tuple[Mapping, str] | None:
    """The same, for a beginning that may be written in several ways. Both spellings have the same segments."""
    spelled = _usual_spelling(prefix.encode("latin-1", "backslashreplace"))
    while prefix:
        mapping = snapshot.routes.get(spelled)
        if mapping is not None:
            return mapping, _asked(mapping, raw_target[len(prefix) :])
        prefix, spelled = prefix.rpartition("/")[0], spelled.rpartition("/")[0]
    return None


def _asked(mapping: Mapping, rest: str) -> str:
    base_path = mapping.upstream.base_path
    return base_path + rest if base_path or rest.startswith("/") else "/" + rest


def _usual_spelling(path: bytes) -> str:
    """One spelling for all that mean the same path (RFC 3986, 6.2.2), decoded once, segment by segment.

    So `%2F` stays a part of its segment, and `%2563` is the text `%63` and no `c`.
    """
    return "/".join([quote(unquote_to_bytes(segment), safe=_SEGMENT_SAFE) for segment in path.split(b"/")])


def spellings(prefix: str) -> set[str]:
    """Under which a route stands: the usual spelling, and the one without any `%`, which `match` does not respell."""
    usual = wire_prefix(prefix)
    raw = "/".join([unquote(segment) for segment in usual.split("/")])
    is_sent_so = raw.isascii() and raw.count("/") == usual.count("/") and not set("%?#") & set(raw)
    return {usual, raw} if is_sent_so else {usual}


def wire_prefix(prefix: str) -> str:
    """A mapping's prefix as it stands in a request's target, in its usual spelling."""
    return _usual_spelling(prefix.rstrip("/").encode())


def parse_mapping(
    prefix: str,
    target: str,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    options: MappingOf[str, Value] = MappingProxyType({}),
) -> Mapping:
    """Checks both and takes the target apart. `options` go over `limits`. Raises InvalidMapping.

    A target `channel:<name>` is no address: what holds for its calls the channel says, and `options` mean nothing.
    """
    check_prefix(prefix)
    if target.startswith(CHANNEL_TARGET):
        return Mapping(prefix, target, NOWHERE, _channel_name(target))
    proxy = parse_proxy_url(str(options["proxy_url"])) if "proxy_url" in options else None
    try:
        upstream = upstream_of(target, "target", limits.with_overrides(options), proxy)
    except ValueError as error:
        raise InvalidMapping(str(error), "target") from None
    return Mapping(prefix, target, upstream, needs_token=bool(options.get("require_token")))


def _channel_name(target: str) -> str:
    name = target.removeprefix(CHANNEL_TARGET).strip()
    if not name or _CONTROL.search(name):
        raise InvalidMapping(f"target {target!r} must name a channel, such as channel:main", "target")
    return name


def check_prefix(prefix: str) -> None:
    """Raises InvalidMapping when `prefix` cannot be one."""
    try:
        refuse_blanks("prefix", prefix)
    except ValueError as error:
        raise InvalidMapping(str(error), "prefix") from None
    if not prefix.startswith("/"):
        raise InvalidMapping(f"prefix {prefix!r} must start with '/', such as '/openai'", "prefix")
    if "?" in prefix or "#" in prefix:
        raise InvalidMapping(f"prefix {prefix!r} must be a path: leave out '?' and '#'", "prefix")
    segments = [unquote(segment) for segment in prefix.rstrip("/").split("/")[1:]]  # as whoever serves it reads them
    if any(_CONTROL.search(segment) for segment in segments):
        raise InvalidMapping(f"prefix {prefix!r} must not hold control characters", "prefix")
    if not segments or segments[0].partition("/")[0].lower() in RESERVED_SEGMENTS:
        raise InvalidMapping(f"prefix {prefix!r} belongs to the gateway itself; choose another first segment", "prefix")
    if any(segment in ("", ".", "..") for segment in segments):
        raise InvalidMapping(f"prefix {prefix!r} must not hold empty, '.' or '..' segments", "prefix")


def check_new_prefix(prefix: str) -> None:
    """Raises InvalidMapping for one that a mapping may keep and none may take any more."""
    first = unquote(prefix).lstrip("/").partition("/")[0].lower()
    if first in NEWLY_RESERVED_SEGMENTS:
        raise InvalidMapping(f"prefix {prefix!r} belongs to the gateway itself; choose another first segment", "prefix")


def check_spelling(prefix: str, routes: MappingOf[str, Mapping]) -> None:
    """Raises InvalidMapping when `prefix` is another spelling of one that is in force: a request could mean both."""
    other = routes.get(wire_prefix(prefix))
    if other is not None and other.prefix != prefix:
        raise InvalidMapping(f"prefix {prefix!r} is another spelling of {other.prefix!r}, which is there", "prefix")
