"""The log's sink: never in the way, whole lines in order, and it says what it dropped."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from app.core.statistics.events import RequestEvent
from app.telemetry import log_sink
from app.telemetry.log_sink import LogSink
from app.telemetry.standard_error import SinkStream
from tests.support.gateway import ROOT
from tests.support.waiting import wait_until

EVENT = RequestEvent("id", 1_790_000_000_000, "/a", "GET", 200, "", 1, 2, 10.0, 5.0)


@dataclass
class Pipe:
    reader: int
    writer: int

    def read(self, size: int = 1 << 20) -> bytes:
        return os.read(self.reader, size)

    def read_until(self, text: bytes) -> bytes:
        """What comes up to `text`, which must come."""
        data = b""
        while text not in data:
            data += self.read()
        return data

    def fill(self) -> None:
        """Leaves no room in it."""
        os.set_blocking(self.writer, False)
        try:
            while True:
                os.write(self.writer, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(self.writer, True)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    reader, writer = os.pipe()
    yield Pipe(reader, writer)
    for fd in (reader, writer):
        try:
            os.close(fd)
        except OSError:
            pass  # the test closed it


@pytest.fixture
def sink(pipe: Pipe) -> Iterator[LogSink]:
    made = LogSink(pipe.writer)
    made.describe = lambda event: f"{event.request_id}\n".encode()
    yield made

    def has_ended() -> bool:
        made._leaving = True
        made._wake()
        with contextlib.suppress(OSError):  # nothing there, or closed
            os.set_blocking(pipe.reader, False)
            os.read(pipe.reader, 1 << 20)
        return not made._running.locked()

    wait_until(has_ended, "the thread, which must not write into the next test's pipe, ends", pause_s=0.001)


def test_lines_come_whole_and_in_order(pipe: Pipe, sink: LogSink) -> None:
    """What is written arrives as it was, in its order."""
    for number in range(500):
        sink.write(b"%d\n" % number)
    assert pipe.read_until(b"499\n") == b"".join(b"%d\n" % number for number in range(500))


def test_nobody_who_writes_waits_for_a_reader(pipe: Pipe, sink: LogSink) -> None:
    """With a full pipe that nobody reads, a hundred thousand lines are taken or dropped at once."""
    pipe.fill()
    began = time.monotonic()
    for _ in range(50_000):
        sink.record(EVENT)
        sink.write(b"text\n")
    assert time.monotonic() - began < 5
    assert sink.dropped > 0


def test_the_reader_is_told_how_much_was_dropped(pipe: Pipe, sink: LogSink) -> None:
    """Lines written and lines told as dropped are together all that there were."""
    pipe.fill()
    sink.record(EVENT)
    wait_until(lambda: sink._passing, "the thread is stuck")
    for _ in range(log_sink.MAX_WAITING_EVENTS + 345):
        sink.record(EVENT)
    data = pipe.read_until(b"log lines were dropped")
    told = next(int(line.split()[0]) for line in data.lstrip(b"x").split(b"\n") if b"dropped" in line)
    while data.count(b"id\n") < log_sink.MAX_WAITING_EVENTS + 346 - told:
        data += pipe.read()
    assert told == sink.dropped == 345


def test_what_waits_is_bounded_in_bytes(sink: LogSink, pipe: Pipe) -> None:
    """Tracebacks that nobody reads do not fill the memory."""
    pipe.fill()
    for _ in range(2 * log_sink.MAX_WAITING_TEXTS):
        sink.write(b"y" * 100_000 + b"\n")
    assert sum(map(len, sink._texts)) <= log_sink.MAX_WAITING_TEXTS * (log_sink.MAX_TEXT_BYTES + 10)


def test_a_stop_writes_what_waits(pipe: Pipe, sink: LogSink) -> None:
    """After flush() every line has been written."""
    for _ in range(1000):
        sink.record(EVENT)
    sink.flush()
    assert pipe.read().count(b"id\n") == 1000


def test_a_stop_goes_on_while_somebody_reads(pipe: Pipe, sink: LogSink) -> None:
    """A slow reader gets everything, although it takes longer than one who reads nothing is waited for."""
    lines = 12_000
    got = bytearray()

    def read_slowly() -> None:
        while got.count(b"\n") < lines:
            got.extend(pipe.read(4096))
            time.sleep(0.05)

    reader = threading.Thread(target=read_slowly)
    sink.describe = lambda _event: b"z" * 15 + b"\n"
    for _ in range(lines):
        sink.record(EVENT)
    reader.start()
    began = time.monotonic()
    sink.flush(10)
    assert not sink._is_waiting()
    assert time.monotonic() - began > log_sink.STALLED_S
    reader.join()


def test_a_stop_does_not_wait_for_whoever_does_not_read(pipe: Pipe, sink: LogSink) -> None:
    """With a pipe that nobody reads flush() gives up soon."""
    pipe.fill()
    sink.write(b"text\n")
    began = time.monotonic()
    sink.flush()
    assert time.monotonic() - began < log_sink.STALLED_S + 1


def test_a_closed_pipe_is_no_error(pipe: Pipe, sink: LogSink) -> None:
    """Lines for a reader that is gone are counted, and the sink lives on."""
    os.close(pipe.reader)
    for expected in (1, 2):
        sink.write(b"text\n")
        wait_until(lambda expected=expected: sink.dropped == expected, "it is counted")


def test_a_pipe_that_does_not_block_gets_everything(pipe: Pipe, sink: LogSink) -> None:
    """Where somebody made the pipe non-blocking, lines wait for room all the same."""
    pipe.fill()
    os.set_blocking(pipe.writer, False)
    sink.write(b"text\n")
    time.sleep(0.05)
    assert pipe.read_until(b"text\n").endswith(b"text\n")
    assert sink.dropped == 0


def test_a_quiet_sink_has_no_thread(pipe: Pipe, sink: LogSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread ends when nothing has come for a while, and another begins with the next line."""
    monkeypatch.setattr(log_sink, "IDLE_PERIODS", 1)
    for _ in range(2):
        sink.write(b"text\n")
        assert pipe.read_until(b"text\n") == b"text\n"
        wait_until(lambda: not sink._running.locked(), "the thread ends")


def test_many_threads_lose_no_line(pipe: Pipe, sink: LogSink) -> None:
    """Lines may come from anywhere at once."""
    threads = [threading.Thread(target=lambda: [sink.record(EVENT) for _ in range(1000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sink.flush()
    assert pipe.read().count(b"id\n") == 4000


def test_what_is_printed_comes_line_by_line(pipe: Pipe, sink: LogSink) -> None:
    """Pieces of a line wait for its end, or for a flush."""
    stream = SinkStream(sink)
    print("one", 2, file=stream)
    print("un", end="", file=stream)
    print("finished", end="", file=stream, flush=True)
    sink.flush()
    assert pipe.read() == b"one 2\nunfinished"


def run(script: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-W", "error", "-c", script]
    return subprocess.run(command, cwd=ROOT, check=True, timeout=20, capture_output=True, **options)  # type: ignore[call-overload]


def test_a_fork_doubles_no_line_and_both_go_on() -> None:
    """What waited before a fork is written once; parent and child write what they say, each in its order."""
    done = run("""
import os, sys
from app.telemetry.log_sink import end_all
from app.telemetry.standard_error import take_over_stderr
take_over_stderr()
for number in range(100):
    print("before", number, file=sys.stderr)
    pid = os.fork()
    if pid == 0:
        print("child", number, file=sys.stderr)
        end_all()
        os._exit(0)
    os.waitpid(pid, 0)
    print("parent", number, file=sys.stderr)
""")
    lines = done.stderr.decode().splitlines()
    children = [f"child {number}" for number in range(100)]
    assert [line for line in lines if line in children] == children
    assert [line for line in lines if line not in children] == [
        f"{who} {number}" for number in range(100) for who in ("before", "parent")
    ]


def test_tracebacks_and_warnings_go_through_the_sink() -> None:
    """The traceback that ends a process is there in the end, and a warning is a line of the log."""
    script = """
import warnings
from app.telemetry.set_up import set_up_logging
set_up_logging("INFO", "text")
warnings.simplefilter("always")
warnings.warn("watch out")
raise ValueError("the end")
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, timeout=20)
    assert b"WARNING py.warnings:" in done.stderr
    assert done.stderr.endswith(b"ValueError: the end\n")


def test_a_patched_process_is_not_held_up() -> None:
    """Under gevent a full pipe holds up no greenlet: the thread is none of gevent's."""
    run("""
from gevent import monkey; monkey.patch_all()
import os, time, gevent
from app.telemetry.log_sink import LogSink
reader, writer = os.pipe()
sink = LogSink(writer)
ticks = []
ticker = gevent.spawn(lambda: [(ticks.append(1), gevent.sleep(0.01)) for _ in range(30)])
for _ in range(5000):
    sink.write(b"z" * 100 + b"\\n")
    gevent.sleep(0)
began = time.monotonic()
ticker.join()
sink.flush()
assert len(ticks) == 30 and time.monotonic() - began < 5
assert sink.dropped
""")
