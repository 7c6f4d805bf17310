"""This checkout's gateway against another's: `python -m benchmarks.by_turns ../before`.

A percentile of one start says little: for the same code it differs by a third, by how the process happened to start and
by the minute. So both run at once on one core, are asked in blocks by turns, and are started anew several times; what
was waited in all blocks of each is compared. Compile both (`make compile`), or neither.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from benchmarks.contenders import DIRECT, Contender, ask, gateway
from benchmarks.loads import percentile, steady
from benchmarks.page_loads import first_bytes_ms, meanwhile, small_waits, visit
from benchmarks.pages import A_PAGE, LARGE_BYTES, large
from benchmarks.processes import CHECKOUT, Cores, free_port, running, wait_for_port
from benchmarks.streams import first_event_ms, read_streams

STREAMS = "/streams"
SHARES = (0.5, 0.9, 0.99)


class Site(NamedTuple):
    """One gateway, and the ways through it to upstreams that both have."""

    direct: Contender
    """To the upstream of pages, past the gateway."""
    mapped: Contender
    """To the same, by a mapping."""
    paged: Contender
    """To the same, through the web proxy."""
    streamed: Contender
    """To the upstream of streams, by a mapping."""
    trickling: Contender
    """To the same, through the web proxy."""


Case = Callable[[Site], list[float]]
"""A block of a load: how long each request waited, in ms."""


def _beside(kind: str, coding: str) -> Case:
    target = large(kind, LARGE_BYTES, coding)

    def waits(site: Site) -> list[float]:
        visit(site.direct, [target])  # which makes it, the first time
        with meanwhile(site.paged, target):
            small_waits(site.mapped, 10)
            return small_waits(site.mapped, 250).wall_ms

    return waits


CASES: dict[str, tuple[str, Case]] = {
    "steady": ("small calls, 200 a second, open loop", lambda site: steady(site.mapped, 200, 3)),
    "alone": ("small calls, one after the other", lambda site: small_waits(site.mapped, 500).wall_ms),
    "event": ("first event of a stream", lambda site: first_event_ms(site.streamed, 200)),
    "first": ("first byte of a page", lambda site: first_bytes_ms(site.paged, A_PAGE, 200)),
    "trickle": (
        "20 pages that trickle, 20 ms apart: lateness",
        lambda site: read_streams(site.trickling, 20, 150, 20, "/page").lateness_ms,
    ),
    "text": ("small calls beside a page of 100 MB (text)", _beside("page", "identity")),
    "gzip": ("small calls beside a page of 100 MB (text, gzip)", _beside("page", "gzip")),
    "pictures": ("small calls beside a page of 100 MB (pictures)", _beside("pictures", "identity")),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.by_turns", description=__doc__)
    parser.add_argument("before", type=Path, help="the other checkout")
    parser.add_argument("--only", default=",".join(CASES), help="some of %(default)s")
    parser.add_argument("--starts", type=int, default=6)
    parser.add_argument("--blocks", type=int, default=3, help="of each gateway and start")
    arguments = parser.parse_args()
    names = arguments.only.split(",")
    if unknown := [name for name in names if name not in CASES]:
        parser.error(f"no case {unknown[0]!r}; there are {', '.join(CASES)}")
    if not (arguments.before / "app" / "__main__.py").exists():
        parser.error(f"there is no gateway in {arguments.before}")
    waited: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in names}
    for start in range(arguments.starts):
        print(f"start {start + 1} of {arguments.starts} ...", file=sys.stderr, flush=True)
        with _both(arguments.before.resolve(), start) as sites:
            for name in names:
                for block in range(arguments.blocks):
                    for side in (0, 1) if block % 2 == start % 2 else (1, 0):
                        waited[name][side].extend(CASES[name][1](sites[side]))
    _print(waited)
    return 0


@contextlib.contextmanager
def _both(before: Path, start: int) -> Iterator[tuple[Site, Site]]:
    """The other checkout's gateway and ours; which of them starts first goes by turns, too."""
    cores = Cores.split()
    with contextlib.ExitStack() as stack:
        ports = []
        for module in ("page_upstream", "upstream"):
            ports.append(free_port())
            command = [sys.executable, "-m", f"benchmarks.{module}", str(ports[-1])]
            wait_for_port(ports[-1], stack.enter_context(running(command, cores.load, quiet=False)))
        checkouts = [before, CHECKOUT]
        sites = {
            checkout: stack.enter_context(_site(checkout, cores, *ports))
            for checkout in (checkouts if start % 2 == 0 else reversed(checkouts))
        }
        yield sites[before], sites[CHECKOUT]


@contextlib.contextmanager
def _site(checkout: Path, cores: Cores, pages: int, streams: int) -> Iterator[Site]:
    """A checkout's gateway, which has seen each kind of load."""
    settings = {"WEB_PROXY": "open", "EGRESS_PORTS": f"{pages},{streams}"}
    with gateway(pages, cores, more_settings=settings, checkout=checkout) as mapped:
        ask(mapped.port, "POST", "/api/mappings", {"prefix": STREAMS, "target": f"http://127.0.0.1:{streams}"})
        to_pages, to_streams = (f"/proxy/http://127.0.0.1:{port}" for port in (pages, streams))
        site = Site(
            Contender(DIRECT, pages),
            mapped,
            *(replace(mapped, prefix=prefix) for prefix in (to_pages, STREAMS, to_streams)),
        )
        small_waits(site.mapped, 50)
        first_bytes_ms(site.paged, A_PAGE, 20)
        first_event_ms(site.streamed, 50)
        yield site


def _print(waited: dict[str, tuple[list[float], list[float]]]) -> None:
    titles = [f"p{share * 100:g} before, now, ratio" for share in SHARES]
    print(f"{'ms':50}" + "".join(f"{title:>26}" for title in [*titles, "mean"]))
    for name, (before, now) in waited.items():
        figures = [(percentile(before, share), percentile(now, share)) for share in SHARES]
        figures.append((statistics.mean(before), statistics.mean(now)))
        cells = [f"{theirs:.3f} {ours:.3f} {ours / theirs:.2f}" for theirs, ours in figures]
        print(f"{CASES[name][0]:50}" + "".join(f"{cell:>26}" for cell in cells))


if __name__ == "__main__":
    sys.exit(main())
