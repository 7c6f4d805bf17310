"""The chunk that tells the usage leaves a stream whole, and nothing else does."""

from __future__ import annotations

import pytest

from app.wire.usage.extra_chunk import MAX_CHUNK_BYTES, ExtraChunk

EXTRA = b'data: {"choices":[],"usage":{"prompt_tokens":1}}'
OTHERS = [
    b'data: {"choices":[{"delta":{"content":"a"}}],"usage":null}',
    b'data: {"choices":[],"prompt_filter_results":[{}]}',
    b": a comment",
    b'event: x\ndata: {"choices":[{"delta":{}}],"usage":{"prompt_tokens":1}}',
    b'data: {"choices":[],"usage":null}',
    b"data: [DONE]",
]


def passed(pieces: list[bytes]) -> bytes:
    extra = ExtraChunk()
    return b"".join([extra.without(piece) for piece in pieces]) + extra.rest()


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_wherever_the_stream_is_cut(newline: bytes) -> None:
    blocks = [(block + b"\n\n").replace(b"\n", newline) for block in [*OTHERS[:3], EXTRA, *OTHERS[3:]]]
    whole = b"".join(blocks)
    rest = b"".join([*blocks[:3], *blocks[4:]])
    assert passed([whole]) == rest
    assert passed([whole[at : at + 1] for at in range(len(whole))]) == rest
    for at in range(len(whole)):
        assert passed([whole[:at], whole[at:]]) == rest


def test_at_the_end_of_a_stream_it_goes_without_its_empty_line() -> None:
    assert passed([b"data: a\n\n", EXTRA]) == b"data: a\n\n"
    assert passed([b"data: a\n\n", EXTRA[:20]]) == b"data: a\n\n" + EXTRA[:20]


def test_what_is_whole_is_not_held_back() -> None:
    extra = ExtraChunk()
    assert extra.without(b"data: a\n\n") == b"data: a\n\n"
    assert extra.without(b"data: b\n\ndata: c") == b"data: b\n\n"
    assert extra.without(b"\n\ndata: d\n\n") == b"data: c\n\ndata: d\n\n"


def test_a_long_event_passes_before_it_is_whole() -> None:
    extra = ExtraChunk()
    begun = b"data: " + b"y" * MAX_CHUNK_BYTES
    assert extra.without(begun) == begun
    assert extra.without(b"y\n\n") == b"y\n\n"
