"""Clients that try again and again: what that makes of attempts, where nothing rests and every channel is dead."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from app.wire.http.headers import Headers
from tests.support.channel_story import GOOD, TEXT, Answer, Story, Tell, answers
from tests.support.in_process import content

DEAD = answers(500, b'{"error": {"message": "The server had an error", "type": "server_error"}}')


@pytest.fixture
def tell(tell: Tell) -> Tell:
    """One channel for each script, with one key."""
    return lambda *scripts, **more: tell({f"c{number}": {"k": script} for number, script in enumerate(scripts)}, **more)


def attempts(story: Story, posts: int, fields: Callable[[int], Headers] = lambda _: [], body: bytes = b"") -> list[int]:
    """How many each of so many calls made."""
    made = []
    for number in range(posts):
        before = len(story.tried)
        content(story.ask(body=body, fields=fields(number)).reply)
        made.append(len(story.tried) - before)
    return made


CLIS: dict[str, tuple[str, int, Headers]] = {
    "Claude Code": ("anthropic", 11, [("X-Stainless-Retry-Count", "0"), ("X-Claude-Code-Session-Id", "s")]),
    "Codex": ("responses", 30, [("x-client-request-id", "thread"), ("session-id", "s")]),
    "Gemini CLI": ("gemini", 10, []),
}


@pytest.mark.parametrize("cli", CLIS)
def test_what_a_cli_does_against_dead_upstreams_makes_no_storm(tell: Tell, cli: str) -> None:
    """At most three times as many attempts as it would make without us, whatever it says of its tries."""
    dialect, posts, fields = CLIS[cli]
    story = tell(*[[DEAD]] * 8, dialect=dialect)
    made = attempts(story, posts, lambda _: fields, json.dumps({"model": "m", "x": "y" * 3000}).encode())
    assert made == [6, 3, 2, 2, 2, *[1] * (posts - 5)]
    assert sum(made) <= 3 * posts


def test_what_an_sdk_says_of_its_tries_counts(tell: Tell) -> None:
    """Also where what came before failed elsewhere; what is no number says nothing."""
    told = ["2", "5", "x", "99999999"]
    story = tell(*[[DEAD]] * 8)
    made = []
    for count in told:
        body = json.dumps({"model": "m", "n": count}).encode()
        made += attempts(story, 1, lambda _, count=count: [("x-stainless-retry-count", count)], body)
    assert made == [2, 1, 6, 6]


def test_another_callers_failures_are_not_mine(tell: Tell) -> None:
    """Nor is another body, nor what went well since."""
    story = tell(*[[DEAD]] * 3, [DEAD, DEAD, GOOD, DEAD], *[[DEAD]] * 4)
    assert attempts(story, 1) == [6]
    story.caller = "another"
    assert attempts(story, 1) == [4 + 2]
    assert attempts(story, 1, body=b'{"model": "m", "other": 1}') == [4]
    assert attempts(story, 1, body=b'{"model": "m", "other": 1}') == [6]


def test_what_went_well_at_last_is_repeated_no_more(tell: Tell) -> None:
    """The same call begins anew."""
    story = tell([DEAD, GOOD, DEAD], *[[DEAD]] * 7)
    assert attempts(story, 3) == [6, 1, 6]


def test_a_stream_that_broke_failed_too(tell: Tell) -> None:
    """What its client asks again is a repeat."""
    chosen = threading.Event()

    def breaks(peer: Any) -> None:
        peer.begin_stream()
        peer.send_chunk(TEXT)
        assert chosen.wait(10)
        peer.is_over = True

    story = tell([breaks, DEAD], *[[DEAD]] * 7)
    body = b'{"model": "m", "stream": true}'
    served = story.ask(body=body)
    chosen.set()
    assert content(served.reply).startswith(TEXT)
    assert story.tried == ["c0 k"]
    assert attempts(story, 1, body=body) == [3]


@pytest.mark.parametrize("account", [answers(402, b'{"error": {"code": "insufficient_quota"}}')])
def test_spent_accounts_are_final(tell: Tell, account: Answer) -> None:
    """SDKs and Claude Code do not try again."""
    reply = tell([account]).ask().reply
    assert reply.status == 429
    assert ("x-should-retry", "false") in reply.headers
