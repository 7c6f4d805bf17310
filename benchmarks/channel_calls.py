"""Cases of calls to channels, each beside the same call through a mapping of the same gateway."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace

from benchmarks.bench import Bench, absolute, medians
from benchmarks.contenders import (
    GATEWAY,
    Contender,
    add_channel,
    add_channels,
    add_token,
    end_rests,
    gateway,
    json_upstream,
)
from benchmarks.loads import LoadError, connect, percentile, post, some, wrk
from benchmarks.processes import awake, free_port, rss_kib
from benchmarks.streams import Seen, first_event_ms, read_streams
from benchmarks.table import Row, Section

CONNECTIONS = 32
PATH = "/v1/chat/completions"
STREAMS = 200
FAILOVERS = 40
OURS = "sk-ours-0123456789abcdef"
"""The access token."""


def channels(bench: Bench) -> Section:
    """Small calls."""
    section = Section("channels", "A call to 100 channels of 1,000 keys beside a mapping's")
    spent: dict[str, list[float]] = {"mapping": [], "channel": [], "budget": []}
    with json_upstream(bench.cores) as port, _gateway(bench, port) as routes, awake(bench.cores.load):
        server = routes["mapping"]
        before_kib = rss_kib(server.pids[0])
        add_channels(server, port, 100, 1000)
        far = {"budgets": {"total_usd": "1000000", "day_usd": "1000000"}, "time_zone": "America/New_York"}
        routes["budget"] = replace(routes["channel"], token=add_token(server, **far))
        for route in routes.values():
            wrk(route, 1, CONNECTIONS)
        for _ in range(bench.effort.rounds):
            for name, route in routes.items():
                burst = wrk(route, bench.effort.small_s, CONNECTIONS)
                spent[name].append(burst.cpu_s / burst.requests * 1e6)
        grown_mb = (rss_kib(server.pids[0]) - before_kib) / 1000
    mapping_us, channel_us, budget_us = (statistics.median(spent[name]) for name in ("mapping", "channel", "budget"))
    section.rows = [
        Row("CPU per mapping call", "µs", {GATEWAY: mapping_us}),
        Row("CPU per channel call", "µs", {GATEWAY: channel_us}),
        Row("channel over mapping", "×", {GATEWAY: channel_us / mapping_us}, absolute(2.0)),
        Row("CPU per channel call with a budget", "µs", {GATEWAY: budget_us}),
        Row("with a budget over without", "×", {GATEWAY: budget_us / channel_us}, absolute(1.25)),
        Row("memory for 100,000 keys", "MB", {GATEWAY: grown_mb}),
    ]
    return section


def streams_of_channels(bench: Bench) -> Section:
    """Event streams, whose events are judged and counted on their way."""
    section = Section("streams_of_channels", f"{STREAMS} event streams of channels beside a mapping's, 20 ms apart")
    events = int(bench.effort.sse_s / 0.02)
    runs: dict[str, list[Seen]] = {}
    first: dict[str, list[float]] = {}
    with bench.event_upstream() as port, _gateway(bench, port) as routes:
        add_channels(routes["mapping"], port, 100, 1000)
        for route in routes.values():
            first_event_ms(route, 50, PATH)
        for _ in range(bench.effort.rounds):
            for name, route in routes.items():
                first.setdefault(name, []).extend(first_event_ms(route, 200, PATH))
                runs.setdefault(name, []).append(read_streams(route, STREAMS, events, 20, PATH))
    cpu_us = medians(runs, lambda seen: seen.window_cpu_s / seen.window_events * 1e6)
    late_ms = {name: percentile(waited, 0.5) for name, waited in first.items()}
    section.rows = [
        Row("CPU per event of a mapping", "µs", {GATEWAY: cpu_us["mapping"]}),
        Row("CPU per event of a channel", "µs", {GATEWAY: cpu_us["channel"]}),
        Row("channel over mapping", "×", {GATEWAY: cpu_us["channel"] / cpu_us["mapping"]}, absolute(1.1)),
        Row(
            "first event later than a mapping's",
            "ms",
            {GATEWAY: late_ms["channel"] - late_ms["mapping"]},
            absolute(0.3),
        ),
    ]
    section.notes += [
        f"{name}: {seen.streams - seen.whole} of {seen.streams} streams did not come whole"
        for name, each in runs.items()
        for seen in each
        if seen.whole < seen.streams
    ]
    return section


def failing_over(bench: Bench) -> Section:
    """What a failed first attempt adds to a call, the failing upstream being on loopback."""
    section = Section("failing_over", "A call whose first channel fails beside one whose first channel answers")
    with bench.event_upstream() as port, _gateway(bench, port) as routes:
        server = routes["channel"]
        good = add_channel(server, "good", f"http://127.0.0.1:{port}", ["sk-good"])
        usual_ms = _quick_ms(server, good, 1)
        for what, url in (
            ("a refused connection", f"http://127.0.0.1:{free_port()}"),
            ("a 429", f"http://127.0.0.1:{port}/429"),
            ("a 500", f"http://127.0.0.1:{port}/500"),
        ):
            number = add_channel(server, what, url, ["sk-bad"], priority=1000)
            added_ms = _quick_ms(server, number, 2) - usual_ms
            section.rows.append(Row(f"{what} adds", "ms", {GATEWAY: added_ms}, absolute(2.0)))
            end_rests(server, number, delete=True)
    return section


def _quick_ms(server: Contender, number: str, attempts: int) -> float:
    """The lower quartile: what makes the channel fit again is still told to all processes in some of the calls."""
    return percentile(_calls_ms(server, number, attempts), 0.25)


def _calls_ms(server: Contender, number: str, attempts: int) -> list[float]:
    """How long each of some calls took, the channel `number` being fit again before each. Raises LoadError."""
    request = post(server, f"{PATH}?events=1&interval_ms=0")
    waited = []
    for _ in range(FAILOVERS):
        end_rests(server, number)
        with connect(server) as sock:
            began = time.perf_counter()
            sock.sendall(request)
            data = b""
            while b",sent=" not in data:
                data += some(sock, server)
            waited.append((time.perf_counter() - began) * 1000)
        if b"x-gateway-attempts: %d\r\n" % attempts not in data.lower():
            raise LoadError(f"not {attempts} attempts: {data[:600]!r}")
    return waited


@contextlib.contextmanager
def _gateway(bench: Bench, upstream_port: int) -> Iterator[dict[str, Contender]]:
    """A call through the mapping shows a credential of the upstream's: with ours it would be limited and metered."""
    with gateway(upstream_port, bench.cores, more_settings={"AUTH_KEY": OURS}) as server:
        yield {"mapping": server, "channel": replace(server, prefix="", token=OURS)}


CHANNEL_CASES = (channels, streams_of_channels, failing_over)
