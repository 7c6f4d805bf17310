"""Event streams cut into events."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.wire.sse import Event, Splitter


def split(*pieces: bytes) -> list[tuple[bytes, bytes]]:
    splitter = Splitter()
    return [(event.name, event.data) for piece in pieces for event in splitter.feed(piece)]


def as_the_standard_says(stream: bytes) -> list[tuple[bytes, bytes]]:
    """The algorithm of https://html.spec.whatwg.org/#event-stream-interpretation, line by line; no data is no event."""
    lines = re.split(rb"\r\n|\n|\r", stream.removeprefix(b"\xef\xbb\xbf"))[:-1]
    events = []
    name, data = b"", b""
    for line in lines:
        if not line:
            if data:
                events.append((name, data[:-1]))
            name, data = b"", b""
            continue
        if line.startswith(b":"):
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            name = value
        elif field == b"data":
            data += value + b"\n"
    return [(name, data) for name, data in events if data]


LINES = st.sampled_from(
    [b"data: a", b"data:b", b"data:  c", b"data", b"data:", b"event: e", b"event:f", b"event", b": hush", b":",
     b"id: 1", b"retry: 5", b"datax: no", b" data: no", b"", b"", b""]
)  # fmt: skip
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(st.lists(st.tuples(LINES, ENDS), max_size=12), st.booleans(), st.data())
def test_events_are_those_of_the_standard(lines: list[tuple[bytes, bytes]], bom: bool, data: st.DataObject) -> None:
    """With any line ends, mixed, comments, several lines of data, a mark at the beginning, and cut anywhere."""
    stream = (b"\xef\xbb\xbf" if bom else b"") + b"".join(line + end for line, end in lines)
    expected = as_the_standard_says(stream)
    assert split(*[bytes([byte]) for byte in stream]) == expected
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=3)))
    edges = [0, *cuts, len(stream)]
    assert split(*[stream[start:end] for start, end in pairwise(edges)]) == expected


def test_a_mark_at_the_beginning_and_pieces_without_bytes_say_nothing() -> None:
    """Wherever they come."""
    assert split(b"\xef\xbb", b"\xbfdata: a\n", b"", b"\n") == [(b"", b"a")]
    assert split(b"data: a\r", b"", b"\n", b"", b"\r", b"", b"\n", b"data: b\n\n") == [(b"", b"a"), (b"", b"b")]


def test_between_events_nothing_is_held() -> None:
    """So another event may be put there: after every empty line, and nowhere else."""
    stream = b"data: a\n\n: c\r\n\r\nevent: e\rdata: b\r\r"
    splitter = Splitter()
    outside = []
    for number, byte in enumerate(stream, start=1):
        splitter.feed(bytes([byte]))
        if not splitter.is_inside:
            outside.append(number)
    assert outside == [9, 15, 16, len(stream)]


def test_what_is_cut_off_is_told_at_the_end() -> None:
    """Once the stream has ended, as far as it came."""
    splitter = Splitter()
    assert splitter.feed(b"data: a\n\nevent: e\ndata: b") == [Event(b"", b"a", True)]
    assert splitter.finish() == [Event(b"e", b"b", True)]
    assert Splitter().finish() == []


def test_a_long_event_takes_bounded_memory() -> None:
    """Its two ends stay, whatever comes between."""
    splitter = Splitter()
    splitter.feed(b"event: e\ndata: begin")
    for _ in range(1000):
        assert splitter.feed(b"x" * 4096) == []
    events = splitter.feed(b"end\n\ndata: next\n\n")
    assert [event.is_whole for event in events] == [False, True]
    assert events[0].name == b"e"
    assert events[0].data.startswith(b"begin")
    assert events[0].data.endswith(b"end")
    assert len(events[0].data) < 10_000
    assert events[1] == Event(b"", b"next", True)
