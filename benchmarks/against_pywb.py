"""Our rewriters beside pywb's: which turns more links right, what else changes, and how fast each is.

`python -m benchmarks.against_pywb --python /tmp/pywb/bin/python`, or PYWB_PYTHON=/tmp/pywb/bin/python. pywb wants old
versions of what the gateway uses, so both run in an environment that is pywb's own:
`python -m venv /tmp/pywb && /tmp/pywb/bin/pip install pywb==2.10.0 selectolax tinycss2 ada-url pytest hypothesis`.

pywb's rewriting of scripts is off, and it inserts nothing into the page: both make it look better.
"""

from __future__ import annotations

import argparse
import codecs
import importlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from app.wire.pages.css import StylesheetRewriter
from app.wire.pages.html.page import PageRewriter
from app.wire.pages.links import Links
from benchmarks import documents

NEEDED = ("pywb", "selectolax", "tinycss2", "ada_url", "pytest", "hypothesis")
PIECE_BYTES = 64 * 1024
ROUNDS = 3
SITE = "https://docs.example.org"
TORTURE = "https://site.example/dir/page?q"
OURS, PYWB = "gateway", "pywb"
Rewrite = Callable[[str, bytes], bytes]
"""A document's address and its bytes."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.against_pywb", description=__doc__)
    parser.add_argument("--python", default=os.environ.get("PYWB_PYTHON", ""), help="an interpreter that has pywb")
    parser.add_argument("--show-wrong", action="store_true", help="print the addresses of the table that are not right")
    arguments = parser.parse_args()
    if not arguments.python:
        missing = _missing()
        return _skip(missing) if missing else compare(arguments.show_wrong)
    root = Path(__file__).resolve().parent.parent
    more = ["--show-wrong"] if arguments.show_wrong else []
    env = {name: value for name, value in os.environ.items() if name != "PYWB_PYTHON"}
    try:
        return subprocess.run(
            [arguments.python, "-W", "ignore", "-m", "benchmarks.against_pywb", *more], cwd=root, env=env, check=False
        ).returncode
    except OSError as error:
        return _skip(str(error))


def _missing() -> str:
    for name in NEEDED:
        try:
            importlib.import_module(name)
        except ImportError as error:
            return f"{sys.executable} has no {name} ({error})"
    return ""


def _skip(reason: str) -> int:
    print(f"skipped: {reason}; name an interpreter that has {', '.join(NEEDED)} by --python or PYWB_PYTHON")
    return 0


# --- the contenders ---


def our_page(url: str, page: bytes) -> bytes:
    return _fed(PageRewriter(Links(url, "/proxy/")), page)


def our_sheet(url: str, sheet: bytes) -> bytes:
    return _fed(StylesheetRewriter(Links(url, "/proxy/")), sheet)


def _fed(rewriter: Any, document: bytes) -> bytes:
    pieces = [rewriter.feed(document[at : at + PIECE_BYTES]) for at in range(0, len(document), PIECE_BYTES)]
    return b"".join([*pieces, rewriter.finish()])


def pywb_rewriters() -> tuple[Rewrite, Rewrite]:
    """pywb's for pages and for stylesheets, decoding and encoding as its own server does."""
    html = importlib.import_module("pywb.rewrite.html_rewriter")
    regex = importlib.import_module("pywb.rewrite.regex_rewriters")
    urls = importlib.import_module("pywb.rewrite.url_rewriter")

    def links(url: str) -> Any:
        return urls.UrlRewriter(url, prefix="/proxy/", full_prefix="http://proxy.example/proxy/")

    def page(url: str, document: bytes) -> bytes:
        return through(html.HTMLRewriter(links(url), js_rewriter_class=regex.JSNoneRewriter), document)

    def sheet(url: str, document: bytes) -> bytes:
        return through(regex.CSSRewriter(links(url)), document)

    def through(rewriter: Any, document: bytes) -> bytes:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        pieces = (document[at : at + PIECE_BYTES] for at in range(0, len(document), PIECE_BYTES))
        out = [rewriter.rewrite(decoder.decode(piece)).encode() for piece in pieces]
        return b"".join([*out, rewriter.final_read().encode()])

    return page, sheet


# --- what is compared ---


def compare(show_wrong: bool) -> int:
    page, sheet = pywb_rewriters()
    pages, sheets = {OURS: our_page, PYWB: page}, {OURS: our_sheet, PYWB: sheet}
    print(f"{'':58}{OURS:>10}{PYWB:>10}{'ratio':>8}")
    _torture(pages, show_wrong)
    real = {package: documents.real(".html", package) for package in documents.PACKAGES}
    for package, found in real.items():
        if found:
            _real_pages(package, found, pages)
        else:
            print(f"pages of {package}: skipped, not installed")
    for name, those, rewriters in (
        (f"pages of {documents.PYTHON}", real[documents.PYTHON], pages),
        ("a page full of absolute links", {"/": documents.links()}, pages),
        ("a page full of pictures", {"/": documents.pictures()}, pages),
        (f"stylesheets of {documents.PYTHON}", documents.real(".css"), sheets),
        ("a stylesheet full of addresses", {"/": documents.rules()}, sheets),
    ):
        if those:
            _speed(name, those, rewriters)
    return 0


def _torture(rewriters: Mapping[str, Rewrite], show_wrong: bool) -> None:
    from benchmarks import page_judge
    from tests.support.page_table import TABLE, read

    shares = []
    for name, rewrite in rewriters.items():
        verdict = page_judge.Verdict()
        for case, marked in ((f"{group}, {case}", marked) for group in TABLE for case, marked in TABLE[group].items()):
            came, _ = read(marked)
            for place, meant, got in page_judge.judge(TORTURE, came, rewrite(TORTURE, came), verdict):
                if show_wrong:
                    print(f"  {name}: {case}: {place.tag} {place.attribute}: {meant!r} became {got!r}")
        shares.append(verdict)
    say(f"{shares[0].needed} links of the table that need turning, turned", *(v.turned / v.needed for v in shares))
    say(f"{shares[0].fine} links of the table that are right, kept", *(v.kept / v.fine for v in shares))


def _real_pages(package: str, found: Mapping[str, bytes], rewriters: Mapping[str, Rewrite]) -> None:
    from benchmarks import page_judge

    verdicts, changed = [], []
    for rewrite in rewriters.values():
        verdict, different = page_judge.Verdict(), 0
        for path, came in found.items():
            url = page_judge.follow(SITE, path)
            left = rewrite(url, came)
            page_judge.judge(url, came, left, verdict)
            different += page_judge.bytes_changed(came, left)
        verdicts.append(verdict)
        changed.append(different / sum(map(len, found.values())) * 1e6)
    say(f"{package}: {verdicts[0].needed} links that need turning, turned", *(v.turned / v.needed for v in verdicts))
    say(f"{package}: {verdicts[0].fine} links that are right, kept", *(v.kept / v.fine for v in verdicts))
    print(f"{package + ': bytes changed outside addresses, per MB':58}{changed[0]:10.1f}{changed[1]:10.1f}")


def _speed(name: str, those: Mapping[str, bytes], rewriters: Mapping[str, Rewrite]) -> None:
    size = sum(map(len, those.values()))
    repeats = max(1, 5_000_000 // size)
    best: dict[str, float] = {}
    for _ in range(ROUNDS):
        for contender, rewrite in rewriters.items():
            began = time.process_time()
            for _ in range(repeats):
                for path, document in those.items():
                    rewrite(SITE + path, document)
            spent = time.process_time() - began
            best[contender] = min(spent, best.get(contender, spent))
    ours, theirs = (size * repeats / best[contender] / 1e6 for contender in (OURS, PYWB))
    print(f"{name + ', MB/s of CPU':58}{ours:10.1f}{theirs:10.1f}{ours / theirs:8.1f}")


def say(what: str, ours: float, theirs: float) -> None:
    print(f"{what:58}{ours:10.3%}{theirs:10.3%}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
