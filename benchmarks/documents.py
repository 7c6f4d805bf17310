"""The pages and stylesheets that are rewritten: real ones, where Debian has them installed, and made ones."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

PYTHON = "python3-doc"
PACKAGES = {PYTHON: ("python3*/html", "/3/"), "postgresql-doc": ("postgresql-doc-*/html", "/docs/")}
"""Debian's packages of documentation: their folders, and where they stand on the site."""
_ROOT = Path("/usr/share/doc")


@functools.cache
def real(suffix: str, package: str = PYTHON) -> dict[str, bytes]:
    """The documents with that suffix by their paths on a site; empty when the package is not installed."""
    # Several packages link to one another's folders.
    pattern, place = PACKAGES[package]
    folders = {folder.resolve() for folder in _ROOT.glob(pattern)}
    found = {path.resolve(): folder for folder in sorted(folders) for path in folder.rglob("*" + suffix)}
    return {f"{place}{path.relative_to(folder)}": path.read_bytes() for path, folder in sorted(found.items())}


def links() -> bytes:
    return _many(
        lambda number: (
            f'<li class="item"><a class="reference external" href="https://site{number % 50}.example/some/path/'
            f'page{number}.html?x={number}">Link number {number}</a> and text</li>\n'
        )
    )


def pictures() -> bytes:
    return _many(
        lambda number: (
            f'<figure><a href="/pictures/{number}"><img src="/thumbs/{number}.jpg" alt="Picture {number}" loading=lazy '
            f'srcset="/thumbs/{number}.jpg 1x, /thumbs/{number}@2x.jpg 2x"></a></figure>\n'
        )
    )


def script() -> bytes:
    text = _many(
        lambda number: (
            f'document.write("<a href=\'https://site.example/{number}\'>" + (a < b ? {number} : 0) + "<\\/a>");\n'
        )
    )
    return b"<script>" + text + b"</script>"


def rules() -> bytes:
    return _many(
        lambda number: (
            f".icon-{number} {{ color: #123456; background: url(https://cdn.example/{number}.png) no-repeat }}\n"
        )
    )


def _many(made: Callable[[int], str]) -> bytes:
    return "".join(map(made, range(50_000))).encode()
