"""What a call to channels used, as its event tells it, and golden answers as channels give them."""

from __future__ import annotations

import gevent

from app.core.statistics.events import ApiUse
from tests.support.channel_story import Answer, Story
from tests.support.golden_usage import Golden
from tests.support.upstream import Peer
from tests.support.waiting import wait_until


def use_of(story: Story) -> ApiUse:
    wait_until(lambda: bool(story.room.events), "the call is accounted for", sleep=gevent.sleep)
    use = story.room.events[-1].api
    assert use is not None
    return use


def answer_of(golden: Golden, pieces: list[bytes], coding: str = "", *, cut: bool = False) -> Answer:
    fields = f"Content-Type: {golden.kind}\r\n" + (f"Content-Encoding: {coding}\r\n" if coding else "")

    def answer(peer: Peer) -> None:
        peer.begin_stream(fields)
        for piece in pieces:
            peer.send_chunk(piece)
        if cut:
            peer.is_over = True  # type: ignore[attr-defined]
        else:
            peer.end_stream()

    return answer
