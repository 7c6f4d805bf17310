"""Redis made ready before anything serves: waited for, filled where it holds nothing, its keys tried.

It is done by a child (`telemetry.standard_error.in_child`), which takes redis-py with it when it ends: neither
`python -m app` nor gunicorn's master needs that again, and it would cost each of them 8 MB.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from app.config import Config
from app.core.network.addresses import mask_url

if TYPE_CHECKING:
    from app.storage.connections import Redis

IS_READY: Final = "GATEWAY_REDIS_IS_READY"
"""The variable by which `python -m app` tells gunicorn that it has seen to this."""


def make_ready(config: Config, url: str, say: Callable[[str], None]) -> int:
    """0, or 1 where nothing may serve, which was said then."""
    from app.storage.connections import RedisError, open_redis, wait_for_redis
    from app.storage.copy.restoring import CopyUnreadable
    from app.storage.keys.encryption import KeysUnreadable, check
    from app.storage.refusals import describe
    from app.storage.secrets import Secrets

    try:
        with open_redis(url, tls_verify=config.redis_tls_verify) as client:
            wait_for_redis(partial(_fill, client, config, say), url, say, patience_s=config.redis_patience_s)
            check(client, Secrets(config.encryption_keys))
    except (KeysUnreadable, CopyUnreadable) as error:
        say(str(error))
        return 1
    except RedisError as error:
        say(f"Redis at {mask_url(url)} {describe(error)}; giving up")
        return 1
    return 0


def fill_if_there(config: Config, say: Callable[[str], None]) -> None:
    """For a web process before which nobody makes it ready. A Redis that is away is left alone: the process may be one
    that takes a dead one's place. Raises CopyUnreadable.
    """
    from app.storage.connections import RedisError, open_redis

    if config.redis_url is None:
        return
    try:
        with open_redis(config.redis_url, tls_verify=config.redis_tls_verify) as client:
            _fill(client, config, say)
    except RedisError:
        pass  # the watch of the catalogue says so


def _fill(client: Redis, config: Config, say: Callable[[str], None]) -> None:
    """Raises RedisError and CopyUnreadable."""
    from app.core.defaults import DEFAULT_MAPPINGS
    from app.storage.catalog.seeding import seed_first_time
    from app.storage.copy.at_start import restore

    if seed_first_time(client, DEFAULT_MAPPINGS, partial(restore, client, config, say)):
        say(f"seeded {len(DEFAULT_MAPPINGS)} default mappings")
