"""What the event of a call to channels says of its attempts, and the rows that are made of it."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import gevent
import pytest

from app.client_gone import ClientGone
from app.core.errors import ApiError
from app.core.request_log.making import rows_of
from app.core.request_log.rows import LogRow
from app.core.settings import Settings
from app.storage.statistics.envelopes import encode, pack, unpack
from tests.support.channel_story import GOOD, STOP, TEXT, Story, Tell, answers, fails, streams
from tests.support.in_process import content
from tests.support.waiting import wait_until


def rows(story: Story) -> list[LogRow]:
    """Of the one call, as the worker makes them of what has travelled."""
    [event] = story.room.events
    envelope = unpack(pack("p", 1, 0, [encode(event)]))
    assert envelope is not None
    return rows_of(envelope.events[0], event.ended_at_ms)


def short(row: LogRow) -> tuple[Any, ...]:
    return row.attempt, row.final, row.channel, row.key_hint, row.status, row.outcome


def resets(peer: Any) -> None:
    peer.reset()


def test_each_attempt_of_a_failover_is_told(tell: Tell) -> None:
    """In order, with channel, key, the model asked for there, status, outcome, and why in the upstream's words."""
    story = tell(
        {
            "a": {"key-number-one": [fails(429, "slow down")], "key-number-two": [fails(401, "invalid_api_key")]},
            "b": {"k3": [resets]},
            "c": {"k4": [GOOD]},
        },
        settings=Settings(max_keys_per_channel=2),
    )
    content(story.ask(fields=[("User-Agent", "curl/8")]).reply)
    told = rows(story)
    assert [short(row) for row in told] == [
        (1, False, "a", "key-…-one", 429, "rate_limited"),
        (2, False, "a", "key-…-two", 401, "invalid_key"),
        (3, False, "b", "…k3", 0, "unreachable"),
        (4, True, "c", "…k4", 200, "ok"),
    ]
    assert [row.reason for row in told[:2]] == ["slow down", "invalid_api_key"]
    assert told[2].reason.startswith("upstream_reset: ")
    assert [row.upstream_model for row in told] == ["m-of-a", "m-of-a", "m-of-b", "m-of-c"]
    assert [row.channel_id for row in told] == ["0", "0", "1", "2"]
    assert [row.key_id for row in told] == ["key-number-one", "key-number-two", "k3", "k4"]
    assert [row.first_byte_ms is None for row in told] == [False, False, True, False]
    assert all(row.duration_ms >= 0 for row in told)
    assert [row.at_ms for row in told] == sorted(row.at_ms for row in told)
    for row in told:
        assert (row.model, row.dialect, row.token_id, row.token) == ("m", "openai", "token", "name of token")
        assert (row.path, row.method, row.user_agent, row.client) == (
            "/v1/chat/completions",
            "POST",
            "curl/8",
            "192.0.2.1",
        )
        assert row.request_bytes > 0 or row.channel == "b"
    assert story.room.events[0].attempts == 4


def test_one_good_attempt_is_one_row(tell: Tell) -> None:
    """With the times of its head and of its first useful content."""
    story = tell({"a": {"k1": [streams(TEXT, STOP)]}})
    content(story.ask(stream=True).reply)
    [row] = rows(story)
    assert short(row) == (1, True, "a", "…k1", 200, "ok")
    assert (row.stream, row.reason) == (True, "")
    assert row.first_byte_ms is not None
    assert row.first_content_ms is not None
    assert row.first_byte_ms <= row.first_content_ms <= row.duration_ms


def test_what_the_caller_got_is_the_final_row(tell: Tell) -> None:
    """That of the real answer, though a connection was refused after it."""
    story = tell({"a": {"k1": [fails(503, "busy")]}, "b": {"k2": [resets]}})
    content(story.ask().reply)
    one, two = rows(story)
    assert short(one) == (1, True, "a", "…k1", 503, "server_error")
    assert short(two) == (2, False, "b", "…k2", 0, "unreachable")


def test_a_code_of_ours_stands_before_the_upstreams_words(tell: Tell) -> None:
    """Where the caller was told that in their place; the row's status is what he was told."""
    story = tell({"a": {"k1": [fails(401, "invalid_api_key")]}})
    with pytest.raises(ApiError):
        story.ask()
    [row] = rows(story)
    assert short(row) == (1, True, "a", "…k1", 502, "invalid_key")
    assert row.reason == "upstream_credentials: invalid_api_key"


def test_an_answer_that_breaks_later_says_why(tell: Tell) -> None:
    """Its status stays what the caller was told."""
    chosen = threading.Event()

    def breaks(peer: Any) -> None:
        peer.begin_stream()
        peer.send_chunk(TEXT)
        assert chosen.wait(10)
        peer.is_over = True

    story = tell({"a": {"k1": [breaks]}})
    served = story.ask(stream=True)
    chosen.set()
    content(served.reply)
    [row] = rows(story)
    assert short(row) == (1, True, "a", "…k1", 200, "truncated")
    assert row.reason.startswith("upstream_reset: ")


def test_a_client_that_leaves_while_somebody_is_asked_is_told(tell: Tell) -> None:
    """The attempt that went on is the final one; those before it keep what became of them."""
    asked = threading.Event()

    def silent(peer: Any) -> None:
        asked.set()
        peer.wait_closed()
        peer.is_over = True

    story = tell({"a": {"k1": [fails(500)]}, "b": {"k2": [silent]}})

    def leave() -> None:
        wait_until(asked.is_set, "the second is asked", sleep=gevent.sleep)
        story.client.leave()

    leaving = gevent.spawn(leave)
    with suppress(ClientGone):
        story.ask()
    leaving.join()
    one, two = rows(story)
    assert short(one) == (1, False, "a", "…k1", 500, "server_error")
    assert short(two) == (2, True, "b", "…k2", 499, "client_gone")
    assert story.room.events[0].attempts == 2


def test_nobody_who_can_serve_is_a_refused_call(tell: Tell) -> None:
    """Attempt 0, with the model that was asked for."""
    story = tell({})
    with pytest.raises(ApiError):
        story.ask()
    [row] = rows(story)
    assert short(row) == (0, True, "", "", 503, "refused")
    assert (row.model, row.reason) == ("m", "all_resting")


def test_no_part_of_a_key_stands_in_a_reason(tell: Tell) -> None:
    """Where an upstream repeats it, also where its words were cut off within it."""
    key = "sk-very-secret-key-number-1"
    for lead in ("", "x" * 280, "x" * 285, "x" * 295):
        story = tell({"a": {key: [fails(503, f"{lead} {key} is overloaded")]}})
        content(story.ask().reply)
        [row] = rows(story)
        assert row.reason
        assert key[:9] not in row.reason


def test_what_callers_choose_is_bounded(tell: Tell) -> None:
    """Names of models and clients, and what an upstream says."""
    said = b'{"error": {"message": "%b"}}' % (b"long " * 1000)
    story = tell({"a": {"k1": [answers(503, said)]}})
    content(story.ask(body=b'{"model": "%b"}' % (b"m" * 5000), fields=[("User-Agent", "u" * 5000)]).reply)
    [row] = rows(story)
    assert (len(row.model), len(row.user_agent)) == (200, 200)
    assert len(row.reason) <= 300
    assert len(encode(story.room.events[0])) < 2_000
