"""Streams that tell the time, by which it is seen how late their pieces come while somebody asks the admin API."""

from __future__ import annotations

import http.client
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

import pytest

from tests.support.gateway import GatewayProcess
from tests.support.upstream import Peer, Upstream

LATE_S = 0.02
"""Of a stream's pieces."""
ROUNDS = 5
STREAMED_S = 2.0

ASKS = """
import http.client, sys
port, token, paths = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
connection = http.client.HTTPConnection("127.0.0.1", port)
asked = 0
while True:
    connection.request("GET", paths[asked % len(paths)], headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
    asked += 1
    print(asked, flush=True)
"""


def check_streams(gateway: GatewayProcess, paths: Sequence[str]) -> None:
    """No piece of a stream through the same web process is late while somebody asks these paths, again and again.

    A machine that is busy with others is late by itself: so it may be by as much as without questions, or try again.
    """
    upstream = Upstream()
    upstream.handler = tells_the_time
    try:
        gateway.map("/clock", upstream.url)
        for _ in range(ROUNDS):
            alone = lateness_s(gateway.port)
            command = [sys.executable, "-c", ASKS, str(gateway.port), gateway.admin_token, *paths]
            with subprocess.Popen(command, stdout=subprocess.PIPE) as asks:
                assert asks.stdout is not None
                assert asks.stdout.readline() == b"1\n", "it was asked"
                beside = lateness_s(gateway.port)
                assert asks.poll() is None
                asks.kill()
                asked = len(asks.stdout.readlines())
            print(f"at most {alone[-1] * 1e3:.1f} ms late; with {asked} questions {beside[-1] * 1e3:.1f} ms")
            if beside[-1] < max(LATE_S, alone[-1]):
                return
        pytest.fail(f"late by {beside[-1] * 1e3:.1f} ms, without questions by {alone[-1] * 1e3:.1f} ms")
    finally:
        upstream.close()


def tells_the_time(peer: Peer) -> None:
    while peer.read_request() is not None:
        peer.begin_stream()
        until_s = time.monotonic() + STREAMED_S
        while time.monotonic() < until_s:
            peer.send_chunk(f"data: {time.monotonic()}\n\n".encode())
            time.sleep(0.005)
        peer.end_stream()


def lateness_s(port: int, streams: int = 4) -> list[float]:
    """Of all pieces of so many streams at once, the latest last."""
    late: list[float] = []

    def follow() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/clock/stream")
        answer = connection.getresponse()
        while line := answer.readline():
            if line.startswith(b"data: "):
                late.append(time.monotonic() - float(line[6:]))
        connection.close()

    threads = [threading.Thread(target=follow) for _ in range(streams)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(late)
