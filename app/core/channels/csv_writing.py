"""Channels as lines of a CSV file: ccLoad's columns first, by its names, then those of what it has not.

A file of ours, read again, makes the same channels with the same keys. What of ours is said in two columns (`url` and
`urls`, `channel_type` and `dialects`) is so for ccLoad, which knows the first of each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingOf
from typing import Any, Final

import orjson

from app.core.channels.csv_reading import NUMBERS, OBJECTS, TEXTS
from app.core.model import Channel
from app.core.network.addresses import mask_url
from app.wire.ccload import TYPES

COLUMNS: Final = (
    # ccLoad 1.66
    "id", "name", "api_key", "url", "priority", "models", "model_redirects", "channel_type", "key_strategy", "enabled",
    # ccLoad 4
    "urls", "rpm_limit", "max_concurrency", "scheduled_check_enabled", "scheduled_check_model",
    "api_key_allowed_models",
    # ours
    "dialects", "auth", "weight", "key_max_concurrency", "key_requests_per_minute", "cost_per_day_usd",
    "cost_multiplier", "hours", "header_rules", "body_rules", "proxy_url", "options", "note", "api_key_notes",
    "api_key_enabled",
)  # fmt: skip
_MARK: Final = re.compile("[,;|\n\r\t，；]|^\\[")
"""What a name holds that cannot stand in a list with commas."""


def write_row(channel: Channel, keys: MappingOf[str, str], *, secrets: bool = True) -> list[str]:
    """The cells of a channel, in the order of COLUMNS. `keys`: those of its keys, as `csv_keys.write_keys` tells them.

    Without `secrets` the password of its proxy is masked.
    """
    said = channel.said
    cells = {
        "id": channel.id,
        "name": channel.name,
        "url": said["urls"][0]["url"],
        "models": _list([model["name"] for model in said["models"]]),
        "model_redirects": _json({one["name"]: one["upstream_name"] for one in said["models"] if one["upstream_name"]}),
        "channel_type": TYPES[said["dialects"][0]],
        "key_strategy": channel.key_strategy,
        "enabled": _flag(channel.enabled),
        "urls": _json(said["urls"]),
        "scheduled_check_enabled": _flag(bool(channel.check_model)),
        "scheduled_check_model": channel.check_model,
        "dialects": ",".join(said["dialects"]),
        **{column: str(said[field]) for column, field in NUMBERS.items()},
        **{column: str(said[column]) for column in TEXTS},
        **{column: _json(said[column]) if said[column] else "" for column in OBJECTS},
        **keys,
    }
    if not secrets:
        cells["proxy_url"] = mask_url(cells["proxy_url"])
    return [cells[column] for column in COLUMNS]


def _flag(flag: bool) -> str:
    return "true" if flag else "false"


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _list(names: list[str]) -> str:
    return _json(names) if any(map(_MARK.search, names)) else ",".join(names)
