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


def health_reasons(process: GatewayProcess) -> list[str]:
    reasons: list[str] = process.request("GET", "/health").json()["reasons"]
    return reasons


@pytest.fixture
def beside(own_redis: Redis, own_server: EmbeddedRedis) -> Iterator[GatewayProcess]:
    """A gateway on a Redis that a test may spoil."""
    process = GatewayProcess(own_server.url).start()
    yield process
    process.stop()


def test_a_redis_that_refuses_is_told_apart_from_one_that_is_away(
    beside: GatewayProcess, own_server: EmbeddedRedis, own_redis: Redis
) -> None:
    """Full memory, a replica and a lacking permission refuse, and the sentence says which; a dead Redis is silent."""

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
    own_redis.execute_command("ACL SETUSER", "default", "-@write")  # scripts may run, and write nothing
    wait_until(refused("our user lacks a permission"), "a script is refused a command")
    own_redis.execute_command("ACL SETUSER", "default", "-ping")
    wait_until(lambda: health_reasons(beside) == ["Redis refuses: our user lacks a permission"], "/health says so")
    own_redis.execute_command("ACL SETUSER", "default", "+@all")
    beside.log_with("/api/mappings was not done: Redis refuses")
    kill(own_server)
    try:
        reply: Reply = beside.admin("POST", "/api/mappings", MAPPING)
        assert (reply.status, reply.json()["code"]) == (503, "storage_away")
    finally:
        revive(own_server)


@pytest.mark.parametrize("path", ["/api/mappings", "/api/admin/login"])
def test_a_body_nested_beyond_measure_is_bad_json(gateway: GatewayProcess, path: str) -> None:
    """Anybody may send one to the login, so it must not fill the log with a failure of ours."""
    fields = {"Authorization": f"Bearer {gateway.admin_token}", "Content-Type": "application/json"}
    reply = gateway.request("POST", path, b"[" * 60_000, fields)
    assert (reply.status, reply.json()["code"]) == (400, "bad_json")


def test_every_code_stands_in_the_documents() -> None:
    """docs/operations.md names what a program may get, and nothing else."""
    chapter = (ROOT / "docs/operations.md").read_text().partition("## Errors of the admin API")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", chapter, re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(get_args(Code))
