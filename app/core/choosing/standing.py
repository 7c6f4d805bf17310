"""How channels stand, as choosing asks for it: what rests, which keys are fit, what is full, how they have answered.

`storage.health` remembers it; what follows from it for a choice is decided in `core.selection`.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from app.core.model import Channel


class Rest(NamedTuple):
    """Until when something is left alone; it is over when that time is not after now."""

    until_ms: int = 0
    """0: it does not rest."""
    told: bool = False
    """True: an upstream named the time, or the operator did. Such a rest is never cut short."""


NO_REST = Rest()


class Keys(NamedTuple):
    """A channel's keys that may be used for a model."""

    fit: int
    """Enabled, neither blacklisted nor resting."""
    usable: int
    """Fit or resting."""
    back_ms: int = 0
    """When the first of the resting ones is back; 0: none rests."""
    guessed_back_ms: int = 0
    """The same of those whose rest was guessed by us."""


class Full(NamedTuple):
    """A limit that leaves no room for an attempt."""

    limit: str
    """`concurrency` or `requests_per_minute`, of the channel or of all of its fit keys."""
    until_ms: int = 0
    """When there is room again; 0: nobody knows, as with concurrency."""


class Record(NamedTuple):
    """How a channel's attempts have gone within the window."""

    success_rate: float = 1.0
    samples: int = 0
    first_byte_ms: float = 0.0
    """The moving average; 0: nothing was measured."""
    first_byte_samples: int = 0


class Health(Protocol):
    """What is known of all channels. Every answer is at hand: nothing here waits.

    `models` are the names by which a key may have been kept for a model: as asked for, and as the channel calls it.
    """

    @property
    def version(self) -> int:
        """Another number when something got better before its time: a rest was ended or shortened, a key came back.

        What gets worse need not change it, for that is noticed when the channel's turn comes.
        """

    def settle(self, now_ms: int) -> None:
        """What has rested long enough is fit again. Comes before every choice."""

    def channel_rest(self, channel: Channel) -> Rest:
        """Its own; or, when all its urls rest, until the first is back. Not that of its keys."""

    def model_rest(self, channel_id: str, upstream_model: str) -> Rest: ...

    def url_rest(self, channel_id: str, url: str) -> Rest: ...

    def url_first_byte_ms(self, channel_id: str, url: str) -> float:
        """The moving average; 0: it has not been tried."""

    def keys(self, channel: Channel, models: tuple[str, ...]) -> Keys: ...

    def full(self, channel: Channel, models: tuple[str, ...]) -> Full | None:
        """None when there is room for one more attempt: of the channel, and of one of its fit keys."""

    def over_cost_ms(self, channel: Channel, now_ms: int) -> int:
        """When the day turns in which a channel has cost all that it may; 0: it may go on."""

    def record(self, channel_id: str) -> Record: ...
