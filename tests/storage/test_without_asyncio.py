"""redis-py's half for asyncio is not there before somebody asks it for something."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.environ import clean_environ

ASKS = {
    "an attribute": "assert redis.asyncio.Redis.__module__ == 'redis.asyncio.client'",
    "a name": "from redis.asyncio import Redis; assert Redis is redis.asyncio.Redis",
    "a module": "import redis.asyncio; redis.asyncio.Lock = redis.asyncio.lock.Lock",
    "what is not there": "assert not hasattr(redis.asyncio, 'nothing')",
}


@pytest.mark.parametrize("asked", ASKS)
def test_whoever_asks_for_it_gets_it_whole(asked: str) -> None:
    script = f"""
import sys
import app.storage
import redis
assert 'redis.asyncio' in sys.modules
assert 'redis.asyncio.client' not in sys.modules
{ASKS[asked]}
assert 'redis.asyncio.client' in sys.modules
assert redis.asyncio.__all__
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], env=clean_environ(), check=True)


def test_it_does_without_where_redis_py_is_imported_already() -> None:
    script = "import redis, app.storage; assert redis.asyncio.Redis.__module__ == 'redis.asyncio.client'"
    subprocess.run([sys.executable, "-W", "error", "-c", script], env=clean_environ(), check=True)
