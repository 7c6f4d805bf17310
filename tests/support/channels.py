"""What an operator says of a channel, and to the admin API."""

from __future__ import annotations

from typing import Any

from tests.support.gateway import GatewayProcess


def said_of_channel(name: str, **said: Any) -> dict[str, Any]:
    """The least that a channel needs, and what is said besides."""
    least = {
        "name": name,
        "dialects": ["openai"],
        "urls": [{"url": "https://one.example"}],
        "models": [{"name": "m"}],
    }
    return least | said


def add_channel(gateway: GatewayProcess, name: str = "one", **said: Any) -> dict[str, Any]:
    """The channel as it is answered."""
    reply = gateway.admin("POST", "/api/channels", said_of_channel(name, **said))
    assert reply.status == 201, reply.body
    channel: dict[str, Any] = reply.json()["channel"]
    return channel
