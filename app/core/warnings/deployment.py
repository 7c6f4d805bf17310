"""Warnings about what the deployment says: they stay until it says otherwise and starts anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from app.core.network.egress import Entry
from app.core.warnings.warning import GatewayWarning, warning

GUESSED_BELOW: Final = 16
"""A secret of fewer characters may be guessed."""


class Deployment(NamedTuple):
    """What is looked at."""

    doubts: Sequence[str]
    """What was passed over at the start: sentences."""
    web_proxy: str
    only_here: bool
    """Nobody reaches us from another machine."""
    egress_allow: Sequence[Entry]
    secrets: Sequence[tuple[str, int]]
    """Variables and how long what they say is."""
    is_compiled: bool


def of_deployment(said: Deployment) -> Iterator[GatewayWarning]:
    for doubt in said.doubts:
        yield warning("startup_doubt", doubt)
    if said.web_proxy == "open" and not said.only_here:
        yield warning("web_proxy_open")
    if said.web_proxy == "open" and said.egress_allow:
        yield warning("web_proxy_opens_network")
    if any(entry.network is not None and entry.network.prefixlen == 0 for entry in said.egress_allow):
        yield warning("egress_opens_all")
    short = dict.fromkeys(name for name, length in said.secrets if length < GUESSED_BELOW)
    if short and not said.only_here:
        yield warning("secret_short", ", ".join(short))
    if not said.is_compiled:
        yield warning("not_compiled")
