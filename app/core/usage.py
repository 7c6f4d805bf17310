"""What an answer used: six counts of tokens that do not overlap, and what they cannot hold."""

from __future__ import annotations

from typing import Final, NamedTuple

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
