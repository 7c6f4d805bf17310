"""How fast pages and stylesheets are rewritten, without a gateway around: MB of what came in per second of CPU."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from app.wire.pages.css import StylesheetRewriter
from app.wire.pages.html.page import PageRewriter
from app.wire.pages.links import Links
from benchmarks import documents
from benchmarks.contenders import GATEWAY
from benchmarks.table import Limit, Row

PIECE_BYTES = 64 * 1024
"""What the gateway feeds at once."""
ENOUGH_BYTES = 10_000_000
SCRIPT = b'<script src="/-/page.js"></script>'
PAGE = "https://docs.example.org/3/library/index.html"
SPEED = Limit(40, 100, relative=False, higher_is_better=True)


class Rewriter(Protocol):
    def feed(self, data: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


def page() -> Rewriter:
    return PageRewriter(Links(PAGE, "/proxy/"), encoding="utf-8", script=SCRIPT, policy=lambda _: None)


def stylesheet() -> Rewriter:
    return StylesheetRewriter(Links(PAGE, "/proxy/"))


def speeds(rounds: int) -> list[Row]:
    """A row for each kind of document; real ones are left out where there are none."""
    kinds: list[tuple[str, Sequence[bytes], Callable[[], Rewriter]]] = [
        (f"pages of {documents.PYTHON}", [*documents.real(".html").values()], page),
        ("a page full of absolute links", [documents.links()], page),
        ("a page full of pictures", [documents.pictures()], page),
        ("a page that is one script", [documents.script()], page),
        (f"stylesheets of {documents.PYTHON}", [*documents.real(".css").values()], stylesheet),
        ("a stylesheet full of addresses", [documents.rules()], stylesheet),
    ]
    return [
        Row(f"{name}, rewriter alone", "MB/s of CPU", {GATEWAY: speed(those, rewriter, rounds)}, SPEED)
        for name, those, rewriter in kinds
        if those
    ]


def speed(those: Sequence[bytes], rewriter: Callable[[], Rewriter], rounds: int) -> float:
    """The best of some rounds, in MB/s."""
    size = sum(map(len, those))
    repeats = max(1, ENOUGH_BYTES // size)
    return size * repeats / min(_once(those, rewriter, repeats) for _ in range(rounds)) / 1e6


def _once(those: Sequence[bytes], rewriter: Callable[[], Rewriter], repeats: int) -> float:
    began = time.process_time()
    for _ in range(repeats):
        for document in those:
            rewritten(document, rewriter())
    return time.process_time() - began


def rewritten(document: bytes, rewriter: Rewriter) -> list[bytes]:
    pieces = [rewriter.feed(document[at : at + PIECE_BYTES]) for at in range(0, len(document), PIECE_BYTES)]
    return [*pieces, rewriter.finish()]
