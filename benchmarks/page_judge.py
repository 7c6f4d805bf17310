"""Whether a rewritten page's addresses lead where they should, as parsers see it that are neither contender's.

lexbor (selectolax) reads the page, tinycss2 its styles, ada follows the references, as a browser would.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, NamedTuple

import ada_url
import tinycss2
from selectolax.lexbor import LexborHTMLParser

from app.wire.pages.html.attributes import ADDRESSES, STYLES

PROXIED = "http://proxy.example/proxy/"
_MODIFIER = re.compile(re.escape(PROXIED) + r"[a-z]{2}_/")
"""pywb says in an address what is expected there; that leads to the same place."""
_INERT = frozenset({"math", "noscript", "svg"})
_LISTS = frozenset({"ping", "attributionsrc"})
_SRCSETS = frozenset({"srcset", "imagesrcset"})
_CANDIDATE = re.compile(r"[\s,]*(\S*[^\s,])(?:\s+[^,(]*(?:\([^)]*\)[^,(]*)*)?,?")
_REFRESH = re.compile(
    r"\s*[\d.]+\s*(?:[;,]\s*|\s+)(?:url\s*=\s*)?(?:\"([^\"]*)|'([^']*)|(.*))", re.IGNORECASE | re.DOTALL
)
_VALUES = re.compile(
    rb"(\s(?:%b|style|srcset|content|data|value)\s*=\s*)(?:\"[^\"]*\"|'[^']*'|[^\s>\"']+)"
    % "|".join(ADDRESSES).encode(),
    re.IGNORECASE,
)


class Place(NamedTuple):
    """Where in a page an address stands."""

    tag: str
    attribute: str


@dataclass
class Verdict:
    """Of some pages."""

    needed: int = 0
    """Addresses that lead out of the proxy, or astray in it, if they stay as they are."""
    turned: int = 0
    """Of these: those that now lead where they should."""
    fine: int = 0
    """Addresses that are right as they are."""
    kept: int = 0
    """Of these: those that still lead there."""


def judge(page_url: str, came: bytes, left: bytes, verdict: Verdict) -> list[tuple[Place, str, str | None]]:
    """Adds a page to the verdict. Returns the addresses that are wrong now, with what became of them."""
    before, after = _read(came), _read(left)
    base = follow(page_url, _base(before))
    base_stays = follow(PROXIED + page_url, _base(before))
    base_now = follow(PROXIED + page_url, _base(after))
    wrong = []
    for place, meant, got in _paired(before, after):
        at = (page_url, PROXIED + page_url) if place == ("base", "href") else (base, base_now)
        target = follow(at[0], meant)
        stays_right = _leads(follow(PROXIED + page_url if place.tag == "base" else base_stays, meant), target)
        is_right = got is not None and _leads(follow(at[1], got), target)
        verdict.fine += stays_right
        verdict.needed += not stays_right
        verdict.kept += stays_right and is_right
        verdict.turned += not stays_right and is_right
        if not is_right:
            wrong.append((place, meant, got))
    return wrong


def follow(base: str, reference: str) -> str:
    try:
        return ada_url.join_url(base, reference)
    except ValueError:
        return "nowhere"


def _leads(followed: str, target: str) -> bool:
    if not target.startswith(("http:", "https:")):
        return followed == target
    rest = _MODIFIER.sub(PROXIED, followed, count=1).removeprefix(PROXIED)
    return followed.startswith(PROXIED) and follow(target, rest) == target


_Addresses = list[tuple[Place, str]]


def _base(addresses: _Addresses) -> str:
    return next((reference for place, reference in addresses if place == ("base", "href")), "")


def _paired(before: _Addresses, after: _Addresses) -> Iterator[tuple[Place, str, str | None]]:
    """Each address that came with the one that left in its place."""
    keys = [place for place, _ in before], [place for place, _ in after]
    if keys[0] == keys[1]:
        yield from ((place, meant, got) for (place, meant), (_, got) in zip(before, after, strict=True))
        return
    found: dict[int, str] = {}
    for start, other, size in SequenceMatcher(None, *keys, autojunk=False).get_matching_blocks():
        found |= {start + i: after[other + i][1] for i in range(size)}
    yield from ((place, meant, found.get(i)) for i, (place, meant) in enumerate(before))


def _read(page: bytes) -> _Addresses:
    found: _Addresses = []
    nodes: list[Any] = [LexborHTMLParser(page.decode("utf-8", "replace")).root]
    while nodes:
        node = nodes.pop()
        attributes = {name: value or "" for name, value in node.attributes.items()}
        tag = "no base" if node.tag == "base" and _is_inert(node) else node.tag
        for name, value in attributes.items():
            found += ((Place(tag, name), reference) for reference in _references(tag, name, value, attributes))
        if tag == "style":
            sheet = tinycss2.parse_stylesheet(node.text(), skip_comments=True)
            found += ((Place("style", ""), reference) for reference in _of_css(sheet))
        nodes += reversed(list(node.iter(include_text=False)))
    return found


def _is_inert(node: Any) -> bool:
    """Whether it stands where a browser that runs scripts sees no element of HTML."""
    while node is not None and node.tag not in _INERT:
        node = node.parent
    return node is not None


def _references(tag: str, name: str, value: str, attributes: dict[str, str]) -> Iterator[str]:
    if name in ADDRESSES or (tag, name) == ("object", "data"):
        yield value
    elif name in _LISTS:
        yield from value.split()
    elif name in _SRCSETS:
        yield from (candidate[1] for candidate in _CANDIDATE.finditer(value))
    elif name in STYLES:
        yield from _of_css(tinycss2.parse_component_value_list(value))
    elif name == "srcdoc":
        yield from (reference for _, reference in _read(value.encode()))
    elif tag == "meta" and name == "content" and attributes.get("http-equiv", "").lower() == "refresh":
        match = _REFRESH.match(value)
        if match and (reference := match[1] or match[2] or match[3]):
            yield reference


def _of_css(values: Any) -> Iterator[str]:
    for value in values or ():
        if value.type == "at-rule":
            if value.lower_at_keyword == "import":
                yield from _strings(value.prelude)
            yield from _of_css(value.prelude)
            yield from _of_css(value.content)
        elif value.type == "url":
            yield value.value
        elif value.type == "function":
            yield from _strings(value.arguments) if value.lower_name == "url" else _of_css(value.arguments)
        else:
            yield from _of_css(getattr(value, "content", None))


def _strings(values: Any) -> Iterator[str]:
    yield from (value.value for value in values if value.type == "string")


def bytes_changed(came: bytes, left: bytes) -> int:
    """How many bytes outside addresses are others now, tag by tag."""
    before, after = (re.split(rb"(?=<)", _VALUES.sub(_masked, page)) for page in (came, left))
    if before == after:
        return 0
    if len(before) == len(after):
        return sum(map(_difference, before, after))
    changed = 0
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, before, after).get_opcodes():
        if kind != "equal":
            changed += _difference(b"".join(before[i1:i2]), b"".join(after[j1:j2]))
    return changed


def _masked(match: re.Match[bytes]) -> bytes:
    quote = match[0][len(match[1]) :][:1]
    return match[1] + (quote * 2 if quote in b"\"'" else b"")


def _difference(one: bytes, other: bytes) -> int:
    if one == other:
        return 0
    shorter = min(len(one), len(other))
    start = next((i for i in range(shorter) if one[i] != other[i]), shorter)
    end = next((i for i in range(shorter - start) if one[-1 - i] != other[-1 - i]), shorter - start)
    return max(len(one), len(other)) - start - end
