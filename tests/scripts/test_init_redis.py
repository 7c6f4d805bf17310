"""`scripts/init_redis.py` as a command against a real Redis: it adds, leaves alone, and says so."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.core.defaults import DEFAULT_MAPPINGS
from app.core.routing import parse_mapping
from app.storage.catalog.seeding import seed_first_time
from app.storage.connections import MAPPINGS, MAPPINGS_UPDATES, MAPPINGS_VERSION, Redis
from app.storage.embedded import EmbeddedRedis
from tests.support.environ import clean_environ

ROOT = Path(__file__).resolve().parents[2]


def init_redis(*arguments: object, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts/init_redis.py"), *map(str, arguments)],
        env=clean_environ(**environ),
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_every_default_is_a_mapping() -> None:
    """The default seed has 21 entries that pass our own check, none with a slash at its end."""
    assert len(DEFAULT_MAPPINGS) == 21
    for prefix, target in DEFAULT_MAPPINGS.items():
        parse_mapping(prefix, target)
        assert not target.endswith("/")


def test_the_first_run_adds_and_the_second_leaves_alone(own_server: EmbeddedRedis, own_redis: Redis) -> None:
    """All defaults are added once; a second run changes nothing and says so; the version moves once."""
    first = init_redis("--url", own_server.url)
    assert first.returncode == 0
    assert first.stdout.count("  added  ") == 21
    assert own_redis.get(MAPPINGS_VERSION) == b"1"
    second = init_redis("--url", own_server.url)
    assert second.stdout.count("  left alone  ") == 21
    assert "0 added, 21 left alone" in second.stdout
    assert own_redis.get(MAPPINGS_VERSION) == b"1"
    stored = {key.decode(): value.decode() for key, value in own_redis.hgetall(MAPPINGS).items()}
    assert stored == dict(DEFAULT_MAPPINGS)


def test_what_the_operator_said_is_left_alone(own_server: EmbeddedRedis, own_redis: Redis) -> None:
    """A prefix that is there keeps its target."""
    own_redis.hset(MAPPINGS, "/openai", "https://elsewhere.example")
    run = init_redis(API_PROXY_REDIS_URL=own_server.url)
    assert "left alone  /openai" in run.stdout
    assert "20 added, 1 left alone" in run.stdout
    assert own_redis.hget(MAPPINGS, "/openai") == b"https://elsewhere.example"


def test_several_at_once_add_each_mapping_once(own_server: EmbeddedRedis, own_redis: Redis) -> None:
    """Of six runs, three at the same moment, one adds, and the version and the news go out once."""
    with own_redis.pubsub() as updates:
        updates.subscribe(MAPPINGS_UPDATES)
        assert updates.get_message(timeout=5)
        with ThreadPoolExecutor(3) as pool:
            runs = list(pool.map(lambda _: init_redis("--url", own_server.url), range(6)))
        assert sum(run.stdout.count("  added  ") for run in runs) == 21
        assert own_redis.get(MAPPINGS_VERSION) == b"1"
        news = updates.get_message(timeout=5)
        assert news is not None
        assert news["data"] == b"1"
        assert updates.get_message(timeout=0.1) is None


def test_a_file_of_ones_own(own_server: EmbeddedRedis, own_redis: Redis, tmp_path: Path) -> None:
    """`--file` seeds what the file says and none of the defaults."""
    file = tmp_path / "mappings.json"
    file.write_text(json.dumps({"/mine": "https://mine.example"}))
    assert init_redis("--url", own_server.url, "--file", file).returncode == 0
    assert own_redis.hgetall(MAPPINGS) == {b"/mine": b"https://mine.example"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"no-slash": "https://a.example", "/good": "https://b.example"}', "no-slash"),
        ('{"/x": "ftp://a.example"}', "/x"),
        ('{"/x": 3}', "must be a string"),
        ("[]", "one JSON object"),
        ("{", "mappings.json"),
    ],
)
def test_a_file_with_a_fault_writes_nothing(
    own_server: EmbeddedRedis, own_redis: Redis, tmp_path: Path, text: str, complaint: str
) -> None:
    """A file that is wrong anywhere ends with 2, names the fault and changes nothing."""
    file = tmp_path / "mappings.json"
    file.write_text(text)
    run = init_redis("--url", own_server.url, "--file", file)
    assert run.returncode == 2
    assert complaint in run.stderr
    assert "Traceback" not in run.stderr
    assert own_redis.dbsize() == 0


def test_a_redis_that_is_away_is_named_without_its_password() -> None:
    """Nobody at the URL: 1, and the password is hidden."""
    run = init_redis("--url", "redis://:hush-hush@127.0.0.1:1/0")
    assert run.returncode == 1
    assert "redis://:***@127.0.0.1:1/0" in run.stderr
    assert "hush-hush" not in run.stderr


def test_a_url_that_is_none_is_refused() -> None:
    """A URL of another kind ends with 2."""
    run = init_redis("--url", "http://127.0.0.1:1/0")
    assert run.returncode == 2
    assert "must start with redis://" in run.stderr


def test_the_first_time_is_only_once(own_redis: Redis) -> None:
    """A Redis that held mappings, or whose mappings an operator deleted, is not seeded again by a start."""
    assert seed_first_time(own_redis, DEFAULT_MAPPINGS)
    assert not seed_first_time(own_redis, DEFAULT_MAPPINGS)
    own_redis.pipeline().delete(MAPPINGS).incr(MAPPINGS_VERSION).execute()
    assert not seed_first_time(own_redis, DEFAULT_MAPPINGS)
    own_redis.flushall()
    own_redis.hset(MAPPINGS, "/by-hand", "https://hand.example")
    assert not seed_first_time(own_redis, DEFAULT_MAPPINGS)
    assert own_redis.hlen(MAPPINGS) == 1
