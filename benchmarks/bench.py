"""What the cases work with."""

from __future__ import annotations

import contextlib
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.contenders import ALL, Contender, Missing, Start
from benchmarks.processes import Cores, free_port, peak_rss_kib, reset_peak, rss_kib, running, wait_for_port
from benchmarks.table import Limit, Section

T = TypeVar("T")


@dataclass(frozen=True)
class Effort:
    """How long the loads run."""

    rounds: int
    small_s: float
    steady_s: float
    sse_s: float
    slow_s: float
    bulk_bytes: int


FULL = Effort(rounds=5, small_s=3, steady_s=5, sse_s=6, slow_s=8, bulk_bytes=1 << 30)
QUICK = Effort(rounds=1, small_s=2, steady_s=4, sse_s=3, slow_s=4, bulk_bytes=1 << 28)


@dataclass
class Bench:
    """What a case works with."""

    cores: Cores
    effort: Effort

    @contextlib.contextmanager
    def contenders(
        self, upstream_port: int, section: Section, starts: Sequence[tuple[str, Start]] = ALL
    ) -> Iterator[list[Contender]]:
        """All of them, started; the section says who is missing and why."""
        with contextlib.ExitStack() as stack:
            started = []
            for name, start in starts:
                try:
                    started.append(stack.enter_context(start(upstream_port, self.cores)))
                except Missing as missing:
                    section.notes.append(f"no row for {name}: {missing}")
            yield started

    @contextlib.contextmanager
    def event_upstream(self) -> Iterator[int]:
        port = free_port()
        command = [sys.executable, "-m", "benchmarks.upstream", str(port)]
        with running(command, self.cores.load, quiet=False) as process:
            wait_for_port(port, process)
            yield port


@contextlib.contextmanager
def growth(server: Contender, most_mb: dict[str, float]) -> Iterator[None]:
    """Notes by how much the server's memory rose at most."""
    idle = {pid: rss_kib(pid) for pid in server.pids}
    for pid in idle:
        reset_peak(pid)
    yield
    if idle:
        grown = sum(peak_rss_kib(pid) - before for pid, before in idle.items()) * 1024 / 1e6
        most_mb[server.name] = max(grown, most_mb.get(server.name, 0.0))


def medians(runs: dict[str, list[T]], figure: Callable[[T], float]) -> dict[str, float]:
    return {name: statistics.median(figure(run) for run in each) for name, each in runs.items()}


def absolute(must: float, aim: float | None = None) -> Limit:
    return Limit(must, must if aim is None else aim, relative=False)
