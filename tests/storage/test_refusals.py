"""What Redis's errors mean, as real servers of several versions and redis-py word them."""

from __future__ import annotations

import pytest
import redis
from redis._parsers.base import BaseParser

from app.storage.connections import Redis, open_redis, wait_for_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.refusals import describe, is_overtaken, refusal_of

REPLIES = [
    # what a server says, whether it refuses, whether its connections are given up
    ("READONLY You can't write against a read only replica.", True, True),
    ("READONLY You can't write against a read only replica. script: 1a2b, on @user_script:1.", True, True),
    ("ERR Error running script (call to f_1a2b): @user_script:1: -READONLY You can't write against ...", True, True),
    ("NOREPLICAS Not enough good replicas to write.", True, True),
    ("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist on disk.", True, False),
    ("OOM command not allowed when used memory > 'maxmemory'.", True, False),
    ("ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed when used memory", True, False),
    ("NOPERM User app has no permissions to run the 'eval' command", True, True),
    ("ERR ACL failure in script: User app has no permissions to run the 'hset' command", True, True),
    ("NOAUTH Authentication required.", True, True),
    ("WRONGPASS invalid username-password pair or user is disabled.", True, True),
    ("ERR invalid password", True, True),
    ("ERR Client sent AUTH, but no password is set", True, True),
    ("LOADING Redis is loading the dataset in memory", False, True),
    ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", False, True),
    ("CLUSTERDOWN The cluster is down", False, True),
    ("TRYAGAIN Multiple keys request during rehashing of slot", False, True),
    ("UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)", False, True),
    ("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", False, False),
    ("ERR max number of clients reached", False, False),
    ("WRONGTYPE Operation against a key holding the wrong kind of value", True, False),
]


@pytest.mark.parametrize(("reply", "refuses", "overtaken"), REPLIES)
def test_a_refusal_is_told_apart_from_silence(reply: str, refuses: bool, overtaken: bool) -> None:
    """Each reply of a server means the same alone and as redis-py words it for a command of a pipeline."""
    error = BaseParser.parse_error(reply)
    assert (refusal_of(error) is not None, is_overtaken(error)) == (refuses, overtaken)
    assert describe(error).startswith("refuses: " if refuses else "answers with an error (")
    redis.client.Pipeline.annotate_exception(None, error, 1, ("HSET", "/OOM", "READONLY", "x"))
    assert (refusal_of(error) is not None, is_overtaken(error)) == (refuses, overtaken)


@pytest.mark.parametrize("error", [redis.ConnectionError("refused"), redis.TimeoutError("read"), OSError("x")])
def test_silence_refuses_nothing(error: Exception) -> None:
    """What never came from a server is no refusal."""
    assert refusal_of(error) is None
    assert not is_overtaken(error)
    assert describe(error) == f"does not answer ({error})"


@pytest.mark.parametrize("path", ["?db=99", "?password=wrong"])
def test_what_waiting_does_not_mend_is_not_waited_for(own_server: EmbeddedRedis, path: str) -> None:
    """A database that the server does not have, and a wrong password: told at once, and nobody is told to wait."""
    url, said = own_server.url + path, list[str]()
    with open_redis(url) as client, pytest.raises(redis.RedisError):
        wait_for_redis(client.ping, url, said.append, patience_s=3600)
    assert not said


def test_a_full_memory_is_told_by_a_real_server(own_redis: Redis) -> None:
    """A write by a command, a pipeline or a script beyond maxmemory is a refusal in each form."""
    own_redis.config_set("maxmemory", 1)
    try:
        for attempt in (
            lambda: own_redis.set("a", "b"),
            lambda: own_redis.pipeline(transaction=False).set("a", "b").execute(),
            lambda: own_redis.pipeline().set("a", "b").execute(),
            lambda: own_redis.eval("redis.call('SET', 'a', 'b')", 0),
        ):
            with pytest.raises(redis.RedisError) as caught:
                attempt()
            assert refusal_of(caught.value) == "its memory is full"
    finally:
        own_redis.config_set("maxmemory", 0)


def test_no_word_of_an_error_shows_what_redis_was_to_store(own_redis: Redis) -> None:
    """redis-py names the command that failed in a pipeline, and what came with it may be a key."""
    pipe = own_redis.pipeline()
    pipe.execute_command("HINCRBY", "name", "sk-canary-0001", "sk-canary-0002 (of pipeline caused error: x)\x1b[2J")
    with pytest.raises(redis.ResponseError, match="canary") as caught:
        pipe.execute()
    assert describe(caught.value) == "answers with an error (value is not an integer or out of range)"
