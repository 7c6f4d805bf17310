"""What the server refuses, and that nothing of it reaches an upstream."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from app.wire.http import http1
from tests.support.gateway import GatewayProcess, receive_all
from tests.support.http1_cases import BAD_CHUNKS, BAD_REQUESTS
from tests.support.http1_reading import request
from tests.support.raw_answers import Answer, answers
from tests.support.upstream import Upstream
from tests.support.waiting import wait_until

GET = b"GET /up/x HTTP/1.1\r\nHost: g\r\n\r\n"
LAST = b"GET /up/last HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n"


def refused(data: bytes) -> tuple[int, dict[str, str]]:
    """Status and error of a refusal, which must be a whole answer that announces the connection's end."""
    [answer], rest = answers(data, ["GET"])
    assert rest == b""
    assert answer.fields["connection"] == "close"
    error = json.loads(answer.body)["error"]
    assert set(error) == {"message", "type", "code", "request_id"}
    assert error["request_id"] == answer.fields["x-request-id"]
    return answer.status, error


def at_upstream(data: bytes) -> bytes:
    """The same bytes with the mapped prefix before their target, where they have one in origin form."""
    return data.replace(b" / HTTP/", b" /up/x HTTP/", 1)


# --- what is refused ---


@pytest.mark.parametrize("case", sorted(BAD_REQUESTS.keys() - {"an empty line at the beginning"}))
def test_bad_head_is_refused_and_closed(gateway: GatewayProcess, upstream: Upstream, case: str) -> None:
    """A head that is not strictly HTTP/1.1 is answered with its error, the connection closed, and goes nowhere."""
    data, status = BAD_REQUESTS[case]
    if case == "nothing at all":
        data += b"\r\n"  # one empty line is passed over; see test_one_empty_line_is_passed_over
    smuggled = b"0\r\n\r\n" + LAST
    assert refused(gateway.raw(at_upstream(data) + smuggled))[0] == status
    assert not upstream.seen
    assert not upstream.connections


@pytest.mark.parametrize("case", BAD_CHUNKS)
def test_bad_chunks_are_refused_and_closed(gateway: GatewayProcess, upstream: Upstream, case: str) -> None:
    """A malformed chunked body is 400, its connection closed, and no upstream ever takes it for whole."""
    head = b"POST /up/x HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n"
    status, error = refused_or_400(gateway.raw(head + BAD_CHUNKS[case] + LAST))
    assert (status, error["code"]) == (400, "bad_request")
    assert not [seen for seen in upstream.seen if seen.target != "/x"]
    wait_until(lambda: len(upstream.failures) == upstream.connections, "what was begun is broken off")


def refused_or_400(data: bytes) -> tuple[int, dict[str, str]]:
    [answer], rest = answers(data, ["POST"])
    assert rest == b""
    return answer.status, json.loads(answer.body)["error"]


def test_bad_chunks_for_the_admin_are_refused(gateway: GatewayProcess) -> None:
    """A malformed chunked body is the client's fault for every application here."""
    token = f"Authorization: Bearer {gateway.admin_token}".encode()
    head = request(
        b"POST /api/mappings HTTP/1.1",
        b"Host: g",
        token,
        b"Content-Type: application/json",
        b"Transfer-Encoding: chunked",
    )
    [answer], rest = answers(gateway.raw(head + b"+5\r\n{}   \r\n0\r\n\r\n" + GET), ["POST"])
    assert (answer.status, rest) == (400, b"")


@pytest.mark.parametrize(
    ("name", "status"),
    [("GET / HTTP/1.1\r\nA: ", 431), ("GET /", 414)],
)
def test_endless_head_is_cut_short(gateway: GatewayProcess, name: str, status: int) -> None:
    """A head that does not end is refused as soon as it is too long, and what still comes does not hide the answer."""
    with gateway.connect() as sock:
        sock.sendall(name.encode() + b"x" * 200_000)
        assert refused(receive_all(sock))[0] == status


def test_refused_in_the_pipe(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A bad request behind a good one is refused after the good one's answer, and nothing behind it is served."""
    bad = b"GET /up/bad HTTP/1.1\r\nHost: g\r\nA : b\r\n\r\n"
    [good, refusal], rest = answers(gateway.raw(GET + bad + LAST), ["GET", "GET"])
    assert (good.status, refusal.status, rest) == (200, 400, b"")
    assert [seen.target for seen in upstream.seen] == ["/x"]


# --- graceful stop ---


def test_limits_are_those_of_the_parser() -> None:
    """The limits that the documentation names are these."""
    assert (http1.MAX_HEAD_BYTES, http1.MAX_HEADERS) == (32 * 1024, 200)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_field_names_that_nobody_sends_leave_nothing_behind(gateway: GatewayProcess) -> None:
    """Names as long as a head may be, a new one in each request, do not stay in memory."""

    def ask(numbers: range) -> None:
        with gateway.connect() as sock:
            for number in numbers:
                sock.sendall(b"GET /none HTTP/1.1\r\nHost: g\r\n%d%b: x\r\n\r\n" % (number, b"x" * 30_000))
                assert Answer(sock).status == 404

    def memory_mb() -> float:
        pages = int(Path(f"/proc/{gateway.worker_pids()[0]}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    ask(range(300))  # what malloc keeps for itself
    before_mb = memory_mb()
    ask(range(300, 700))
    assert memory_mb() < before_mb + 15
