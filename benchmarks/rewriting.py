"""How fast pages and stylesheets are rewritten, in MB of input per second of CPU: `python -m benchmarks.rewriting`.

Real pages are those of Debian's python3-doc, when it is installed; the others are made here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from app.wire.pages.css import StylesheetRewriter
from app.wire.pages.html import PageRewriter
from app.wire.pages.links import Links

PIECE_BYTES = 64 * 1024
ENOUGH_BYTES = 40_000_000
ROUNDS = 3
DOCUMENTATION = "/usr/share/doc", "python3*/html"
SCRIPT = b'<script src="/-/page.js"></script>'
PAGE = "https://docs.example.org/3/library/index.html"


class Rewriter(Protocol):
    def feed(self, data: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


def page() -> Rewriter:
    return PageRewriter(Links(PAGE, "/proxy/"), encoding="utf-8", script=SCRIPT, policy=lambda _: None)


def stylesheet() -> Rewriter:
    return StylesheetRewriter(Links(PAGE, "/proxy/"))


def main() -> None:
    rows: list[tuple[str, Sequence[bytes], Callable[[], Rewriter]]] = [
        ("pages of python3-doc", documentation("*.html"), page),
        ("a page full of absolute links", [many(link)], page),
        ("a page full of pictures", [many(picture)], page),
        ("a page that is one script", [b"<script>" + many(statement) + b"</script>"], page),
        ("stylesheets of python3-doc", documentation("*.css"), stylesheet),
        ("a stylesheet full of addresses", [many(rule)], stylesheet),
    ]
    print(f"{'':34}{'MB/s of CPU':>12}{'bytes added':>13}")
    for name, documents, rewriter in rows:
        if documents:
            speed, added = measure(documents, rewriter)
            print(f"{name:34}{speed:12.0f}{added:12.1%}")
        else:
            print(f"{name:34}   skipped: Debian's python3-doc is not installed")


def documentation(pattern: str) -> list[bytes]:
    root, folders = DOCUMENTATION
    # Several packages link to one another's folders.
    found = {path.resolve() for folder in Path(root).glob(folders) for path in folder.resolve().rglob(pattern)}
    return [path.read_bytes() for path in sorted(found)]


def many(made: Callable[[int], str]) -> bytes:
    return "".join(made(number) for number in range(100_000)).encode()


def link(number: int) -> str:
    return (
        f'<li class="item"><a class="reference external" href="https://site{number % 50}.example/some/path/'
        f'page{number}.html?x={number}">Link number {number}</a> and text</li>\n'
    )


def picture(number: int) -> str:
    return (
        f'<figure><a href="/pictures/{number}"><img src="/thumbs/{number}.jpg" alt="Picture {number}" loading=lazy '
        f'srcset="/thumbs/{number}.jpg 1x, /thumbs/{number}@2x.jpg 2x"></a></figure>\n'
    )


def statement(number: int) -> str:
    return f'document.write("<a href=\'https://site.example/{number}\'>" + (a < b ? {number} : 0) + "<\\/a>");\n'


def rule(number: int) -> str:
    return f".icon-{number} {{ color: #123456; background: url(https://cdn.example/{number}.png) no-repeat }}\n"


def measure(documents: Sequence[bytes], rewriter: Callable[[], Rewriter]) -> tuple[float, float]:
    """The best of some rounds in MB/s, and the share of bytes that were added."""
    size = sum(map(len, documents))
    repeats = max(1, ENOUGH_BYTES // size)
    best = min(_once(documents, rewriter, repeats) for _ in range(ROUNDS))
    longer = sum(len(b"".join(rewritten(document, rewriter()))) for document in documents)
    return size * repeats / best / 1e6, longer / size - 1


def _once(documents: Sequence[bytes], rewriter: Callable[[], Rewriter], repeats: int) -> float:
    began = time.process_time()
    for _ in range(repeats):
        for document in documents:
            rewritten(document, rewriter())
    return time.process_time() - began


def rewritten(document: bytes, rewriter: Rewriter) -> list[bytes]:
    pieces = [rewriter.feed(document[at : at + PIECE_BYTES]) for at in range(0, len(document), PIECE_BYTES)]
    return [*pieces, rewriter.finish()]


if __name__ == "__main__":
    main()
