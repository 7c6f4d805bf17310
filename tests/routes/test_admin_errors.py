"""Errors of the admin API: what went wrong is told apart by a code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import get_args

import pytest

from app.routes.admin.answers import Code
from app.storage.connections import Redis
from app.storage.embedded import EmbeddedRedis
from tests.support.gateway import ROOT, GatewayProcess, Reply
from tests.support.own_redis import kill, own_redis, own_server, revive
from tests.support.waiting import wait_until

__all__ = ["own_redis", "own_server"]

MAPPING = {"prefix": "/refused", "target": "https://a.example"}


@pytest.fixture
def beside(own_redis: Redis, own_server: EmbeddedRedis) -> Iterator[GatewayProcess]:
    """A gateway on a Redis that a test may spoil."""
    process = GatewayProcess(own_server.url).start()
    yield process
    process.stop()


def test_a_redis_that_refuses_is_told_apart_from_one_that_is_away(
    beside: GatewayProcess, own_server: EmbeddedRedis, own_redis: Redis
) -> None:
    """Full memory and a replica refuse, and the sentence says which; a dead Redis does not answer."""

    def refused(says: str) -> Callable[[], bool]:
        def holds() -> bool:
            reply = beside.admin("POST", "/api/mappings", MAPPING)
            error = reply.json()
            return (reply.status, error.get("code")) == (503, "storage_refuses") and says in error["error"]

        return holds

    own_redis.config_set("maxmemory", "1")
    wait_until(refused("its memory is full"), "a full Redis refuses")
    own_redis.config_set("maxmemory", "0")
    own_redis.replicaof("127.0.0.1", "1")
    wait_until(refused("it is read only"), "a replica refuses")
    own_redis.replicaof("NO", "ONE")
    beside.log_with("/api/mappings was not done: Redis refuses")
    kill(own_server)
    try:
        reply: Reply = beside.admin("POST", "/api/mappings", MAPPING)
        assert (reply.status, reply.json()["code"]) == (503, "storage_away")
    finally:
        revive(own_server)


def test_every_code_stands_in_the_documents() -> None:
    """docs/operations.md names what a program may get, and nothing else."""
    chapter = (ROOT / "docs/operations.md").read_text().partition("## Errors of the admin API")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", chapter, re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(get_args(Code))
