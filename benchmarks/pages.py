"""The case of web pages: the rewriters alone, and pages of a site on loopback through the whole gateway."""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from benchmarks import documents, rewriting
from benchmarks.bench import Bench, absolute, growth, medians
from benchmarks.contenders import DIRECT, GATEWAY, Contender, gateway
from benchmarks.loads import percentile
from benchmarks.page_loads import Visit, first_bytes_ms, meanwhile, small_waits, visit
from benchmarks.processes import free_port, running, wait_for_port
from benchmarks.streams import Seen, read_streams
from benchmarks.table import Row, Section

LARGE_BYTES = 100_000_000
SHEET_BYTES = 20_000_000
SETTLE_S = 1.0
A_PAGE = "/3/library/functions.html"
OTHERS_MS = absolute(20)
"""How long others may wait at p99 while a large page is rewritten."""


class Sites(NamedTuple):
    """The ways to the same upstreams."""

    direct: Contender
    proxied: Contender
    mapped: Contender
    """Where nothing is rewritten."""
    slow_direct: Contender
    slow_proxied: Contender

    @property
    def both(self) -> tuple[Contender, Contender]:
        return self.direct, self.proxied


def pages(bench: Bench) -> Section:
    """How fast pages are rewritten, what the gateway adds to them, and what they do to others."""
    section = Section("pages", "Web pages", rewriting.speeds(max(1, bench.effort.rounds // 2)))
    with _sites(bench) as sites:
        section.rows += _memory(sites)
        whole = documents.real(".html")
        if whole:
            section.rows += _visits(bench, sites, whole)
            section.rows += _first_bytes(bench, sites)
        else:
            section.notes.append(f"no rows for real pages: Debian's {documents.PYTHON} is not installed")
        section.rows += _sheets(bench, sites)
        section.rows += _trickle(bench, sites)
        section.rows += _others(bench, sites)
    return section


@contextlib.contextmanager
def _sites(bench: Bench) -> Iterator[Sites]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.page_upstream", str(port)]
    with (
        running(command, bench.cores.load, quiet=False) as process,
        bench.event_upstream() as slow_port,
    ):
        wait_for_port(port, process)
        settings = {"WEB_PROXY": "open", "EGRESS_PORTS": f"{port},{slow_port}"}
        with gateway(port, bench.cores, more_settings=settings) as mapped:
            proxied = replace(mapped, prefix=f"/proxy/http://127.0.0.1:{port}")
            yield Sites(
                Contender(DIRECT, port),
                proxied,
                mapped,
                Contender(DIRECT, slow_port),
                replace(mapped, prefix=f"/proxy/http://127.0.0.1:{slow_port}"),
            )


def _visits(bench: Bench, sites: Sites, whole: dict[str, bytes]) -> list[Row]:
    size = sum(map(len, whole.values()))
    visits = _interleaved(bench, sites, list(whole))
    rows = _speed_rows(f"all pages of {documents.PYTHON}, through the gateway", visits, size)
    untouched = visit(sites.mapped, whole)
    rows.append(Row("CPU of the same through a mapping", "ms/MB", {GATEWAY: untouched.cpu_s / size * 1e9}))
    return rows


def _sheets(bench: Bench, sites: Sites) -> list[Row]:
    target = large("sheet", SHEET_BYTES)
    visit(sites.direct, [target])  # which makes it
    return _speed_rows("a long stylesheet, through the gateway", _interleaved(bench, sites, [target]), SHEET_BYTES)


def _interleaved(bench: Bench, sites: Sites, targets: list[str]) -> dict[str, list[Visit]]:
    visits: dict[str, list[Visit]] = {}
    for _ in range(max(1, bench.effort.rounds // 2)):
        for server in sites.both:
            visits.setdefault(server.name, []).append(visit(server, targets))
    return visits


def _speed_rows(what: str, visits: dict[str, list[Visit]], size: int) -> list[Row]:
    proxied = {GATEWAY: visits[GATEWAY]}
    return [
        Row(what, "MB/s", medians(visits, lambda v: size / 1e6 / v.seconds)),
        Row("CPU of that", "ms/MB", medians(proxied, lambda v: v.cpu_s / size * 1e9)),
    ]


def _first_bytes(bench: Bench, sites: Sites) -> list[Row]:
    runs: dict[str, list[list[float]]] = {}
    for server in sites.both:
        first_bytes_ms(server, A_PAGE, 20)
    for _ in range(bench.effort.rounds):
        for server in sites.both:
            runs.setdefault(server.name, []).append(first_bytes_ms(server, A_PAGE, 100))
    return [
        Row(f"first byte of a page, p{share * 100:g}", "ms", medians(runs, lambda run, s=share: percentile(run, s)))  # type: ignore[misc]
        for share in (0.5, 0.99)
    ]


def _trickle(bench: Bench, sites: Sites) -> list[Row]:
    """A page that comes in pieces of a line: how long each takes from the upstream to the client."""
    runs: dict[str, list[Seen]] = {}
    for _ in range(max(1, bench.effort.rounds // 2)):
        for server in (sites.slow_direct, sites.slow_proxied):
            events = int(bench.effort.sse_s / 0.02)
            runs.setdefault(server.name, []).append(read_streams(server, 20, events, 20, "/page"))
    return [
        Row(
            f"20 pages that trickle, 20 ms apart: lateness p{share * 100:g}",
            "ms",
            medians(runs, lambda seen, s=share: percentile(seen.lateness_ms, s)),  # type: ignore[misc]
        )
        for share in (0.5, 0.99)
    ]


def _memory(sites: Sites) -> list[Row]:
    rows = []
    for coding in ("identity", "gzip"):
        target = large("page", LARGE_BYTES, coding)
        visit(sites.direct, [target])
        visit(sites.proxied, [A_PAGE] if documents.real(".html") else [large("page", 1 << 20)])
        time.sleep(SETTLE_S)
        grown: dict[str, float] = {}
        with growth(sites.proxied, grown):
            visit(sites.proxied, [target])
        text = f"memory over idle, a page of {LARGE_BYTES / 1e6:.0f} MB, {coding}"
        rows.append(Row(text, "MB", grown, absolute(20)))
    return rows


def _others(bench: Bench, sites: Sites) -> list[Row]:
    """Small mapped requests on the same worker, alone and beside a page of 100 MB that is being rewritten.

    Judged by the worker's own clock: it is what they would wait on a core that runs nothing else. Of a process at work
    the kernel tells it in steps (of 4 ms, where it ticks 250 times a second), so that of one request says little, and
    the mean of all is as exact as any.
    """
    times = 200 * bench.effort.rounds
    small_waits(sites.mapped, 50)
    alone = small_waits(sites.mapped, times)
    rows = [Row("small mapped requests alone, p99", "ms", {GATEWAY: percentile(alone.wall_ms, 0.99)})]
    for name, kind, coding in (
        ("text", "page", "identity"),
        ("text, gzip", "page", "gzip"),
        ("pictures", "pictures", "identity"),
    ):
        target = large(kind, LARGE_BYTES, coding)
        visit(sites.direct, [target])
        with meanwhile(sites.proxied, target):
            beside = small_waits(sites.mapped, times)
        text = f"beside a page of {LARGE_BYTES / 1e6:.0f} MB ({name})"
        rows.append(Row(f"{text}, p99", "ms", {GATEWAY: percentile(beside.wall_ms, 0.99)}))
        rows.append(Row("of that, work of the gateway, mean", "ms", {GATEWAY: statistics.mean(beside.cpu_ms)}))
        rows.append(
            Row("of that, work of the gateway, p99", "ms", {GATEWAY: percentile(beside.cpu_ms, 0.99)}, OTHERS_MS)
        )
    return rows


def large(kind: str, size: int, coding: str = "identity") -> str:
    """Where the upstream of pages has a document of that kind and size."""
    return f"/large/{kind}?bytes={size}&coding={coding}"
