"""The Redis of this deployment, for commands that work on it whether a gateway runs or not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from app.config import Config
from app.storage.connections import SOCKET_TIMEOUT_S, Redis, RedisError, open_redis
from app.storage.embedded import EmbeddedRedis, embedded_url


@contextmanager
def redis_at_hand(config: Config, socket_timeout_s: float = SOCKET_TIMEOUT_S) -> Iterator[Redis]:
    """That of the URL; else the embedded one, which is started for the while where no gateway leads it.

    Raises EmbeddedRedisError, and RedisError where that of the URL does not answer.
    """
    if config.redis_url is not None:
        with open_redis(
            config.redis_url, tls_verify=config.redis_tls_verify, socket_timeout_s=socket_timeout_s
        ) as client:
            client.ping()
            yield client
        return
    with open_redis(embedded_url(config.data_dir), socket_timeout_s=socket_timeout_s) as client:
        server = None if _answers(client) else _started(config)
        try:
            yield client
        finally:
            if server is not None:
                server.stop()


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


def _started(config: Config) -> EmbeddedRedis:
    server = EmbeddedRedis(config.data_dir, os.environ | {"REDIS_SERVER_BIN": config.redis_server_bin or ""})
    server.start()
    try:
        server.wait_until_ready()
    except BaseException:
        server.stop()
        raise
    return server
