"""`scripts/import_ccload.py`: a ccLoad's file is taken over into a real Redis, once, and nothing in it is changed."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.core.callers.access import hash_of
from app.core.judging.troubles import read
from app.core.model import Channel
from app.core.settings import Limits, Settings
from app.core.snapshot import ACCESS_TOKENS
from app.storage.catalog.catalog import Catalog
from app.storage.connections import Redis
from app.storage.embedded import EmbeddedRedis
from app.storage.health.stored import StoredHealth
from app.storage.keys.pools import KeyPools
from app.storage.secrets import Secrets
from scripts.ccload_database import CcloadFileError, read_database
from scripts.import_ccload import main
from tests.support.ccload_files import TO_V4_7, V1_66, CcloadFile
from tests.support.environ import clean_environ

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ccload(tmp_path: Path) -> Iterator[CcloadFile]:
    """A ccLoad 4.7 that runs."""
    file = CcloadFile(tmp_path / "ccload.db", V1_66 + TO_V4_7)
    yield file
    file.close()


@pytest.fixture
def move(own_server: EmbeddedRedis, own_redis: Redis, ccload: CcloadFile, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command on that ccLoad's file: what it said."""

    def run(*arguments: str) -> str:
        assert main([str(ccload.path), "--url", own_server.url, *arguments]) == 0
        return capsys.readouterr().out

    return run


def channels_of(own_redis: Redis) -> dict[str, Channel]:
    return {channel.name: channel for channel in Catalog(own_redis, Limits(), Settings()).load().channels}


def secrets_of(own_redis: Redis, channel: Channel) -> list[str]:
    pools = KeyPools(own_redis, Secrets())
    pools.load()
    pool = pools.of(channel.id)
    return [pool.secret_at(place) for place in range(len(pool.ids)) if pool.is_there(place)]


def version_of(own_redis: Redis) -> dict[bytes, Any]:
    """All that is stored, but who counts what is observed."""
    return {key: own_redis.dump(key) for key in own_redis.scan_iter("apiproxy:*")}


def test_channels_keys_models_redirects_rests_and_tokens_are_taken(
    move: Any, own_redis: Redis, ccload: CcloadFile
) -> None:
    until_s = int(time.time()) + 900
    one = ccload.channel("one", "k1 k2", "b=real a", priority=5, cooldown_until=until_s)
    ccload.channel("two", "k3", channel_type="codex", enabled=0)
    ccload.connection.execute("UPDATE api_keys SET cooldown_until = ? WHERE api_key = 'k2'", [until_s])
    ccload.add("channel_model_cooldowns", channel_id=one, model="real", cooldown_until=until_s)
    ccload.token("the text", allowed_channel_ids=f"[{one}]")
    told = move()
    channels = channels_of(own_redis)
    assert [tuple(model) for model in channels["one"].models] == [("b", "real"), ("a", "")]
    assert (channels["one"].priority, channels["two"].enabled, channels["two"].dialects) == (5, False, {"responses"})
    assert secrets_of(own_redis, channels["one"]) == ["k1", "k2"]
    assert secrets_of(own_redis, channels["two"]) == ["k3"]
    [troubles] = StoredHealth(own_redis, "").troubles()
    assert len(troubles) == 3
    assert {read(trouble).until_ms for trouble in troubles.values()} == {until_s * 1000}
    token = ACCESS_TOKENS.of(Catalog(own_redis, Limits(), Settings()).load()).by_digest[hash_of("the text")]
    assert (token.name, token.routes_mode, token.channels) == ("alice", "allow", {channels["one"].id})
    assert "Taken: 2 channels added, 0 updated; 3 keys, 3 rests and 1 token added" in told


def test_a_second_run_leaves_all_alone(move: Any, own_redis: Redis, ccload: CcloadFile) -> None:
    ccload.channel("one", cooldown_until=int(time.time()) + 900)
    ccload.token("the text")
    move()
    before = version_of(own_redis)
    told = move()
    assert "left alone  channel 'one', which is the same here" in told
    assert "left alone  token 'alice', which is here" in told
    assert "Taken: 0 channels added, 0 updated; 0 keys, 0 rests and 0 tokens added" in told
    assert version_of(own_redis) == before


def test_a_channel_that_is_another_here_is_changed_only_when_asked_for(
    move: Any, own_redis: Redis, ccload: CcloadFile
) -> None:
    ccload.channel("one", "k1")
    move()
    ccload.connection.execute("UPDATE channels SET priority = 9")
    ccload.connection.execute("UPDATE api_keys SET api_key = 'k2'")
    assert "which is another here: priority, 1 key added, 1 key removed (--update takes it)" in move()
    assert (channels_of(own_redis)["one"].priority, secrets_of(own_redis, channels_of(own_redis)["one"])) == (0, ["k1"])
    assert "updated     channel 'one': priority, 1 key added, 1 key removed" in move("--update")
    assert (channels_of(own_redis)["one"].priority, secrets_of(own_redis, channels_of(own_redis)["one"])) == (9, ["k2"])


def test_a_dry_run_says_all_and_changes_nothing(move: Any, own_redis: Redis, ccload: CcloadFile) -> None:
    one = ccload.channel("one", "k1 k2", cooldown_until=int(time.time()) + 900)
    ccload.token("the text", allowed_channel_ids=f"[{one}]")
    told = move("--dry-run")
    assert version_of(own_redis) == {}
    assert move() == told.replace("Would be taken", "Taken")


def test_a_token_opens_no_channel_that_has_but_the_name_of_its_own(
    move: Any, own_redis: Redis, ccload: CcloadFile
) -> None:
    """Of two names that differ in capitals alone the first one is taken."""
    ccload.channel("One", "k1")
    ccload.token("the text", allowed_channel_ids=f"[{ccload.channel('one', 'k2')}]")
    assert "1 of the channels that it names are not here" in move()
    token = ACCESS_TOKENS.of(Catalog(own_redis, Limits(), Settings()).load()).by_digest[hash_of("the text")]
    assert (token.routes_mode, token.channels) == ("allow", set())


def test_cells_of_a_strange_kind_stop_nothing_and_reach_no_terminal(
    move: Any, own_redis: Redis, ccload: CcloadFile
) -> None:
    ccload.channel("bad", daily_cost_limit="much")
    ccload.channel("good")
    ccload.connection.execute("PRAGMA foreign_keys = OFF")
    ccload.add("api_keys", channel_id="x", key_index=0, api_key="k9")
    ccload.add("system_settings", key="a\x1b[2J", value="\x1b]0;b\x07", default_value="")
    told = move()
    assert list(channels_of(own_redis)) == ["good"]
    assert "\x1b" not in told
    assert "not taken   channel 'bad': must be an amount" in told


def test_what_is_not_taken_is_told(move: Any, own_redis: Redis, ccload: CcloadFile) -> None:
    ccload.channel("login", auth_type="codex_oauth")
    ccload.channel("inside", url="http://10.0.0.1")
    ccload.channel("twice", url="https://a.example\nhttps://a.example")
    ccload.channel("good", websockets=1)
    ccload.token("old", expires_at=1)
    ccload.add("system_settings", key="max_key_retries", value="5", default_value="3")
    ccload.add("system_settings", key="log_retention_days", value="7", default_value="7")
    ccload.add("logs", time=1)
    told = move()
    assert list(channels_of(own_redis)) == ["good"]
    for words in (
        "not taken   channel 'login': auth_type",
        "not taken   channel 'inside': urls[0].url",
        "not taken   channel 'twice': urls[1].url is there twice",
        "websockets is left out",
        "not taken   token 1 'alice': it has expired",
        "not taken   setting max_key_retries = 5 (see max_keys_per_channel here)",
        "not taken   1 row of logs",
    ):
        assert words in told
    assert "log_retention_days" not in told


def test_a_running_ccload_is_read_as_it_stands_and_not_changed(ccload: CcloadFile) -> None:
    """What it has written is there, also where that is in its log alone; what it has not committed is not."""
    ccload.channel("written")
    ccload.connection.execute("BEGIN IMMEDIATE")
    ccload.channel("not yet")
    before = ccload.path.read_bytes(), ccload.path.with_name("ccload.db-wal").read_bytes()
    assert [channel.row["name"] for channel in read_database(ccload.path).channels] == ["written"]
    assert (ccload.path.read_bytes(), ccload.path.with_name("ccload.db-wal").read_bytes()) == before
    ccload.connection.execute("ROLLBACK")


def test_a_file_of_1_66_is_read_where_it_cannot_be_written_beside(tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    folder.mkdir()
    file = CcloadFile(folder / "ccload.db")
    file.channel("one")
    file.close()
    folder.chmod(0o500)
    try:
        assert [channel.row["name"] for channel in read_database(file.path).channels] == ["one"]
    finally:
        folder.chmod(0o700)


def test_a_locked_file_is_told(tmp_path: Path) -> None:
    file = CcloadFile(tmp_path / "ccload.db", journal_mode="DELETE")
    file.connection.execute("BEGIN EXCLUSIVE")
    with pytest.raises(CcloadFileError, match="locked by a program that writes it"):
        read_database(file.path, busy_s=0.01)
    file.close()


def broken(path: Path, kind: str) -> None:
    """A file that is no ccLoad's."""
    match kind:
        case "text":
            path.write_text("name,api_key\n" * 100)
        case "empty":
            path.touch()
        case "stranger":
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("CREATE TABLE users (id)")
        case "old":
            schema = V1_66.replace(" redirect_model TEXT NOT NULL DEFAULT '',", "")
            CcloadFile(path, schema).close()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "no such file"),
        ("text", "no SQLite file"),
        ("empty", "no table of channels"),
        ("stranger", "no table of channels"),
        ("old", "before 1.66"),
    ],
)
def test_a_file_that_is_none_of_ccloads_is_told(tmp_path: Path, kind: str, words: str) -> None:
    path = tmp_path / "ccload.db"
    broken(path, kind)
    with pytest.raises(CcloadFileError, match=words):
        read_database(path)


def test_the_command_ends_with_what_is_wrong(tmp_path: Path) -> None:
    """2 for the file, 1 for Redis."""

    def run(file: Path, url: str) -> tuple[int, str]:
        command = [sys.executable, str(ROOT / "scripts/import_ccload.py"), str(file), "--url", url]
        done = subprocess.run(command, env=clean_environ(), capture_output=True, text=True, timeout=60)
        return done.returncode, done.stderr

    code, words = run(tmp_path / "none.db", "redis://127.0.0.1:1")
    assert (code, "no such file" in words) == (2, True)
    CcloadFile(tmp_path / "ccload.db").close()
    code, words = run(tmp_path / "ccload.db", "redis://:secret@127.0.0.1:1")
    assert (code, "Redis at" in words, "secret" in words) == (1, True, False)
