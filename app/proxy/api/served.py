"""How a call to channels was answered."""

from __future__ import annotations

from app.proxy.messages import Reply


class Served:
    """By whom, for the fields that tell it."""

    __slots__ = ("attempts", "channel", "reply", "upstream_model")

    def __init__(self, reply: Reply, channel: str, attempts: int | None, upstream_model: str) -> None:
        self.reply = reply
        self.channel = channel
        """Its name; that of the last that was tried where nobody gave a good answer."""
        self.attempts = attempts
        """None: it is not known yet."""
        self.upstream_model = upstream_model
        """Empty where it is asked for under the caller's own name."""
