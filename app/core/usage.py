"""What an answer used: six counts of tokens that do not overlap, and what they cannot hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from app.wire.usage.meter import Told
from app.wire.usage.text import tokens_of

REPORTED: Final = "reported"
ESTIMATED: Final = "estimated"
NOT_TOLD: Final = "absent"


class Usage(NamedTuple):
    """All in tokens. Where nothing is known all counts are None; else one that was not told is 0."""

    input: int | None
    """Without what was read from a cache or written to it."""
    cached: int | None
    cache_write_5m: int | None
    cache_write_1h: int | None
    output: int | None
    """Without `reasoning`."""
    reasoning: int | None
    """None, too, where the provider counts it as output and does not tell."""
    source: str
    """`reported` by the upstream; `estimated`, at least a part, from the text that passed; `absent`."""
    other: dict[str, int | float | str]
    """As reported: `audio_input`, `audio_output`, `image_input`, `image_output` (parts of the counts above), `seconds`,
    `web_search_requests`, `provider_cost_usd`, `service_tier`. Zeros are left out."""


ABSENT: Final = Usage(None, None, None, None, None, None, NOT_TOLD, {})


def usage_of(told: Told, asked_bytes: Callable[[], int]) -> Usage:
    """Of the answer that the client got, as far as it came: what was told, and an estimate of the rest.

    `asked_bytes`: how much text the request holds, asked for where the answer does not tell the input.
    """
    counts = told.counts
    if counts is None:
        if not told.untold_bytes:
            return ABSENT
        return Usage(tokens_of(asked_bytes()), 0, 0, 0, tokens_of(told.untold_bytes), None, ESTIMATED, {})
    output, source = counts.output or 0, REPORTED
    rest = tokens_of(told.untold_bytes)
    if not told.has_output and (rest or not told.is_whole):
        output, source = max(output, rest), ESTIMATED  # what was told stands inside of what came
    elif rest and not told.is_whole:
        output, source = output + rest, ESTIMATED
    told_input = counts.input
    if told_input is None and not told.is_whole:
        told_input, source = tokens_of(asked_bytes()), ESTIMATED
    return Usage(
        told_input or 0,
        counts.cached or 0,
        counts.cache_write_5m or 0,
        counts.cache_write_1h or 0,
        output,
        counts.reasoning,
        source,
        counts.other,
    )


def reported(told: Told) -> Usage:
    """Of an answer that nobody got: what was told of it, and no estimate."""
    if told.counts is None:
        return ABSENT
    return usage_of(Told(told.counts, told.has_output, 0, told.is_whole), _nothing)


def _nothing() -> int:
    return 0
