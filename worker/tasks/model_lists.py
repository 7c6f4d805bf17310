"""Channels' upstreams are asked which models they have. No channel is changed by it."""

from __future__ import annotations

from typing import Any, Final

from app.core.model import Channel
from app.core.snapshot import CHANNELS
from app.proxy.model_lists import NoModelList, fetch_models
from app.proxy.probing import usual_key
from worker.tasks.at_once import for_each
from worker.tasks.running import Running

AT_ONCE: Final = 8


def fetch_model_lists(running: Running) -> dict[str, Any]:
    """Begun anew it asks all again. Raises RedisError."""
    ids: list[str] = running.arguments["ids"]
    running.gateway.catalog.look()
    known = CHANNELS.of(running.gateway.catalog.snapshot).by_id
    running.gateway.choosing.pools.load()
    found: dict[str, dict[str, Any]] = {}

    def ask(id: str) -> None:
        found[id] = {"channel_id": id} | _asked(running, known.get(id))

    def look() -> None:
        failed = sum(one["error"] is not None for one in found.values())
        running.tell(len(found), len(ids), f"{failed:,} told none" if failed else "")

    for_each(running, ids, ask, AT_ONCE, look)
    return {"channels": [found[id] for id in ids if id in found]}


def _asked(running: Running, channel: Channel | None) -> dict[str, Any]:
    """The channel's name, the models of its upstream, and why there are none."""
    if channel is None:
        return {"channel": "", "models": [], "error": "the channel is there no more"}
    key = usual_key(running.gateway.choosing.pools, channel)
    if key is None:
        return {"channel": channel.name, "models": [], "error": "the channel has no key that is enabled"}
    try:
        names = fetch_models(running.gateway.engine.transport, channel, channel.said["dialects"], key)
    except NoModelList as error:
        return {"channel": channel.name, "models": [], "error": str(error)}
    return {"channel": channel.name, "models": names, "error": None}
