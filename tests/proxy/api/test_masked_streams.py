"""Our key in an error that comes in the middle of a stream: masked, wherever the network cuts it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import combinations
from typing import Any

import pytest

from app.core.channels.keys import Key
from app.core.errors import UpstreamFault
from app.core.failures import Failure
from app.proxy.api.stage import ApiStage
from app.wire.dialects.asked import dialect_of
from app.wire.dialects.observers import Observer, observer_for
from tests.support.channel_story import TEXT, Tell
from tests.support.in_process import content

KEY = Key("1", "sk-0123456789abcdef")
HINT = KEY.hint.encode()
SECRET = KEY.secret.encode()
ERROR = b'data: {"error": {"message": "no credit on %b", "type": "x"}}\n\n' % SECRET
ELEMENT = b'{"error": {"code": 429, "message": "no credit on %b"}}' % SECRET
BROKE = UpstreamFault(Failure.CUT_OFF, "it broke")
PATHS = {
    "openai": ("/v1/chat/completions", "text/event-stream"),
    "gemini": ("/v1beta/models/m:streamGenerateContent", "application/json"),
}


def stage(dialect: str = "openai", key: Key = KEY) -> tuple[ApiStage, Observer]:
    path, kind = PATHS[dialect]
    asked = dialect_of("POST", path, {})
    assert asked is not None
    observer = observer_for(asked, kind)
    assert observer is not None
    return ApiStage(observer, 0, "id", key), observer


def passed(stage: ApiStage, pieces: Iterable[bytes]) -> bytes:
    return b"".join(b"".join(stage.feed(piece)) for piece in pieces)


@pytest.mark.parametrize("dialect", PATHS)
def test_it_is_masked_at_every_cut(dialect: str) -> None:
    """In two pieces or three; all else stays as it came."""
    error = ERROR if dialect == "openai" else b"[" + ELEMENT
    whole = (TEXT if dialect == "openai" else b"") + error
    wanted = whole.replace(SECRET, HINT)
    first = whole.index(SECRET) - 2
    cuts = [*range(1, len(whole)), *combinations(range(first, first + len(SECRET) + 5), 2)]
    for cut in cuts:
        one, other = cut if isinstance(cut, tuple) else (cut, cut)
        made, _ = stage(dialect)
        assert passed(made, filter(None, (whole[:one], whole[one:other], whole[other:]))) == wanted, cut


def test_what_is_no_error_goes_on_as_it_came() -> None:
    """Also where a key is a word that stands everywhere; an event is kept back for its own end alone."""
    for key in (KEY, Key("2", "hi"), Key("3", "d")):
        event = b'data: {"choices": [{"delta": {"content": "hi %b"}}]}\n\n' % key.secret.encode()
        for cut in range(1, len(event)):
            made, _ = stage(key=key)
            first = b"".join(made.feed(event[:cut]))
            assert first + passed(made, [event[cut:]]) == event
            assert first == event[:cut] or key.may_stand_in(event[:cut])


def test_an_event_that_is_never_judged_is_not_held_for_ever() -> None:
    """It is longer than what is judged, so it is content."""
    made, _ = stage()
    long = [b'data: {"choices": [{"delta": {"content": "%b' % SECRET, *[b"x" * 65_536] * 20, b'"}}]}\n\n']
    told = [b"".join(made.feed(piece)) for piece in long]
    assert b"".join(told) == b"".join(long)
    assert told[-2]


@pytest.mark.parametrize("cut", range(len(ERROR) - 60, len(ERROR)))
def test_a_stream_that_breaks_within_it_tells_no_more_than_the_hint(cut: int) -> None:
    """Nor one that ends there."""
    made, observer = stage()
    told = passed(made, [TEXT, ERROR[:cut]])
    words = made.fail(BROKE)
    assert words is not None
    assert SECRET[:5] not in told + words.data
    assert words.data.endswith(observer.last_words(made._told(BROKE)) or b"-")
    made, _ = stage()
    told = passed(made, [TEXT, ERROR[:cut]])
    try:
        told += made.finish()
    except UpstreamFault:
        told += (made.fail(BROKE) or words).data
    assert SECRET[:5] not in told


def test_a_client_gets_it_masked(tell: Tell) -> None:
    """Though its beginning had come long before."""

    def in_pieces(peer: Any) -> None:
        peer.begin_stream()
        peer.send_chunk(TEXT)
        for piece in (ERROR[:50], ERROR[50:-2], ERROR[-2:]):
            time.sleep(0.05)
            peer.send_chunk(piece)
        peer.end_stream()

    story = tell({"a": {KEY.secret: [in_pieces]}})
    assert content(story.ask(stream=True).reply) == TEXT + ERROR.replace(SECRET, HINT)
    [event] = story.room.events
    assert event.api is not None
    assert SECRET[:5] not in repr(event).encode()
