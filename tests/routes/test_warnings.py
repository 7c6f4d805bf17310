"""What the parts of a gateway know reaches `/api/warnings`, and leaves it when it holds no more."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from app.config import load_config
from app.core.money.amounts import NANO
from app.core.money.budget import Budget
from app.core.warnings.warning import KINDS
from app.gateway import Gateway, build_gateway
from app.routes.admin.warnings.facts import Facts
from app.storage.catalog import access_tokens, channels, mappings, prices, settings
from app.storage.connections import CHANNELS_SET, LOG_DROPPED_LATELY, MAPPINGS, STATS_ROLLED_AT, Redis
from app.storage.costs.costs import Costs
from app.storage.costs.stored import StoredCosts
from app.storage.embedded import EmbeddedRedis
from app.storage.request_log.waiting import WaitingRows
from app.storage.tasks.stored import StoredTasks
from app.storage.tasks.task import TaskState
from tests.support.channels import said_of_channel
from tests.support.gateway import ADMIN_TOKEN, GatewayProcess
from tests.support.waiting import wait_until

QUIET = {"prices_missing", "not_compiled"}
"""Of a gateway whose worker has stored no prices, here where tests may run as it comes."""


class Warned:
    """A gateway's parts in this process; of what its worker and its pools hear by themselves the test tells them."""

    def __init__(self, url: str, redis: Redis, environ: dict[str, str]) -> None:
        self.redis = redis
        self.gateway: Gateway = build_gateway(load_config({"REDIS_URL": url, "ADMIN_TOKEN": ADMIN_TOKEN, **environ}))
        self.gateway.catalog.on_change = lambda snapshot: None
        self.gateway.catalog.load()
        self.facts = Facts(self.gateway)
        self.roll_up()

    def roll_up(self, ago_s: int = 0) -> None:
        """As the worker notes that it does."""
        seconds, _ = self.redis.time()
        self.redis.set(STATS_ROLLED_AT, (seconds - ago_s) * 1000)

    def add_channel(self, keys: int = 1) -> str:
        said = said_of_channel("one")
        channel_id = channels.add(self.gateway.catalog, said, lambda channel: None).id
        self.gateway.key_edits.add(channel_id, [f"sk-{number:08}" for number in range(keys)])
        self.gateway.choosing.pools.load()
        return channel_id

    @property
    def codes(self) -> set[str]:
        self.gateway.catalog.load()
        self.gateway.choosing.pools.load()
        return {one.code for one in self.facts.warnings(time.time_ns() // 1_000_000)} - QUIET


@pytest.fixture
def warned(own_server: EmbeddedRedis, own_redis: Redis) -> Warned:
    return Warned(own_server.url, own_redis, {"ENCRYPTION_KEY": "k" * 43, "AUTH_KEY": "a" * 20})


def test_a_gateway_in_good_order_is_warned_of_nothing(warned: Warned) -> None:
    warned.add_channel()
    assert warned.codes == set()


@pytest.mark.parametrize("ago_s", [None, 60])
def test_a_worker_that_is_silent_or_never_spoke_is_told_of(warned: Warned, ago_s: int | None) -> None:
    if ago_s is None:
        warned.redis.delete(STATS_ROLLED_AT)
    else:
        warned.roll_up(ago_s)
    assert warned.codes == {"worker_silent"}
    warned.roll_up()
    assert warned.codes == set()


def test_a_log_that_is_not_written_is_told_of_and_what_was_lost(warned: Warned) -> None:
    """As the worker says it; what is lost for a day."""
    waiting = WaitingRows(warned.redis)
    waiting.tell_trouble("SQLite has no room left")
    assert warned.codes == {"database_away"}
    waiting.tell_trouble("")
    waiting.count_dropped(3)
    assert warned.codes == {"log_rows_dropped"}
    assert 0 < warned.redis.ttl(LOG_DROPPED_LATELY) <= 86_400


def test_what_redis_refuses_is_told_while_it_does(warned: Warned) -> None:
    """The watch of the catalogue, or the recorder, has heard it."""
    for part in (warned.gateway.catalog, warned.gateway.recorder):
        assert part is not None
        part.refused = "refuses: its memory is full"
        assert warned.codes == {"redis_refuses"}
        part.refused = ""
        assert warned.codes == set()


def test_a_lost_catalogue_is_told_of_until_somebody_takes_it(own_server: EmbeddedRedis, own_redis: Redis) -> None:
    """What a start found was lost while no gateway ran; an edit takes it for good."""
    first = Warned(own_server.url, own_redis, {"ENCRYPTION_KEY": "k" * 43})
    mappings.add(first.gateway.catalog, "/fine", "https://one.example")
    own_redis.delete(MAPPINGS)
    second = Warned(own_server.url, own_redis, {"ENCRYPTION_KEY": "k" * 43})
    assert "catalog_in_doubt" in second.codes
    settings.change(second.gateway.catalog, {"idle_timeout": 61})
    assert "catalog_in_doubt" not in second.codes


def test_a_channels_keys_are_told_of(warned: Warned) -> None:
    """None; then one that is switched off, then switched on."""
    channel_id, edits = warned.add_channel(keys=0), warned.gateway.key_edits
    assert warned.codes == {"channels_without_keys"}
    edits.add(channel_id, ["sk-one"])
    assert warned.codes == set()
    ids = edits.ids(channel_id)
    edits.enable(channel_id, ids, enabled=False)
    assert warned.codes == {"channels_without_usable_keys"}
    edits.enable(channel_id, ids)
    assert warned.codes == set()


def test_a_model_whose_channels_rest_is_told_of(warned: Warned) -> None:
    """By the rules by which a call is told that nobody can serve it."""
    channel_id, health = warned.add_channel(), warned.gateway.choosing.health
    now_ms = time.time_ns() // 1_000_000
    health.rest(channel_id, now_ms, now_ms + 60_000)
    assert warned.codes == {"models_unserved"}
    health.end_rests(channel_id, now_ms + 1)
    assert warned.codes == set()


def test_keys_that_lie_otherwise_than_they_should_are_told_of(own_server: EmbeddedRedis, own_redis: Redis) -> None:
    """Plain without ENCRYPTION_KEY, out of line with one; and with none that opens them they are lost to us."""
    auth = {"AUTH_KEY": "a" * 20}
    plain = Warned(own_server.url, own_redis, auth)
    channel_id = plain.add_channel()
    assert plain.codes == {"keys_plain"}
    sealing = Warned(own_server.url, own_redis, auth | {"ENCRYPTION_KEY": "k" * 43})
    assert sealing.codes == {"keys_out_of_line"}
    sealing.gateway.key_edits.delete(channel_id, sealing.gateway.key_edits.ids(channel_id))
    sealing.gateway.key_edits.add(channel_id, ["sk-two"])
    assert sealing.codes == set()
    other = Warned(own_server.url, own_redis, auth | {"ENCRYPTION_KEY": "o" * 43})
    assert "keys_unreadable" in other.codes
    both = Warned(own_server.url, own_redis, auth | {"ENCRYPTION_KEY": f"{'k' * 43},{'o' * 43}"})
    assert both.codes == set()


def test_a_keys_file_that_is_missed_is_told_of(own_server: EmbeddedRedis, own_redis: Redis, tmp_path: Path) -> None:
    """Until it is there, and while it holds no key."""
    file = tmp_path / "keys.txt"
    environ = {"ENCRYPTION_KEY": "k" * 43, "AUTH_KEY": "a" * 20, "KEYS_FILE": str(file)}
    warned = Warned(own_server.url, own_redis, environ)
    keeper = warned.gateway.keys_file
    assert keeper is not None
    for text, codes in ((None, {"keys_file_not_taken"}), ("sk-one\n", set()), ("", {"keys_file_not_taken"})):
        if text is not None:
            file.write_text(text)
            os.utime(file, (time.time() - 60 - len(text),) * 2)  # a file that was changed this moment may change again
        for _ in range(3):
            keeper.look()
        assert warned.codes == codes, text


def test_channels_without_an_access_token_are_told_of(own_server: EmbeddedRedis, own_redis: Redis) -> None:
    """Until there is one, or nobody needs one."""
    warned = Warned(own_server.url, own_redis, {"ENCRYPTION_KEY": "k" * 43})
    assert warned.codes == set(), "no channel, nothing to call"
    warned.add_channel()
    assert warned.codes == {"no_access_token"}
    token, _ = access_tokens.add(warned.gateway.catalog, {"name": "alice"})
    assert warned.codes == set()
    access_tokens.delete(warned.gateway.catalog, token.id)
    settings.change(warned.gateway.catalog, {"anonymous_channels": True})
    assert warned.codes == set()


def test_a_token_that_expires_soon_is_told_of(warned: Warned) -> None:
    soon_ms = time.time_ns() // 1_000_000 + 3_600_000
    token, _ = access_tokens.add(warned.gateway.catalog, {"name": "alice", "expires_at_ms": soon_ms})
    assert warned.codes == {"tokens_expiring"}
    access_tokens.update(warned.gateway.catalog, token.id, {"expires_at_ms": None})
    assert warned.codes == set()


def test_a_spent_budget_is_told_of(warned: Warned) -> None:
    """Of what Redis knows of all processes' calls."""
    token, _ = access_tokens.add(warned.gateway.catalog, {"name": "alice", "budgets": {"total_usd": "2"}})
    assert warned.codes == set()
    warned.gateway.budgets.charge(token.id, Budget(total_nano=2 * NANO), 2 * NANO)
    wait_until(lambda: warned.codes == {"tokens_spent"}, "it is told of")
    access_tokens.update(warned.gateway.catalog, token.id, {"budgets": {"total_usd": "3"}})
    assert warned.codes == set()
    warned.gateway.budgets.stop()


def test_models_without_a_price_are_told_of_where_money_is_limited(warned: Warned) -> None:
    """They were called; nobody minds before somebody has a budget, nor once there is a price."""
    costs, catalog = Costs(), warned.gateway.catalog
    version = warned.gateway.catalog.snapshot.prices.version
    costs.lacked_price("m", time.time_ns() // 1_000_000, version)
    StoredCosts(warned.redis, "test").store([], costs.take(), 1)
    assert warned.codes == set()
    access_tokens.add(catalog, {"name": "alice", "budgets": {"day_usd": "2"}})
    assert warned.codes == {"models_unpriced"}
    prices.put(catalog, [{"model": "m", "input": "1", "output": "1"}])
    assert warned.codes == set()


def test_a_task_that_failed_is_told_of_until_its_like_is_done(warned: Warned) -> None:
    def end(state: TaskState) -> None:
        task, stored = warned.gateway.tasks.order("import_keys", "1", {}), StoredTasks(warned.redis)
        claim = stored.claim(task.id, 60_000, 9)["claim"]
        assert stored.finish(task.id, claim, state, {"message": ""})

    end(TaskState.FAILED)
    assert warned.codes == {"tasks_failed"}
    end(TaskState.DONE)
    assert warned.codes == set()


def test_what_is_stored_and_makes_no_sense_is_told_of(warned: Warned) -> None:
    """Written by hand, and taken out by hand."""
    warned.add_channel()
    mappings.add(warned.gateway.catalog, "/fine", "https://one.example")
    warned.redis.hset(MAPPINGS, "/broken", "no url")
    assert warned.codes == {"mappings_rejected"}
    warned.redis.hset(CHANNELS_SET, "77", "{")
    assert warned.codes == {"mappings_rejected", "channels_rejected"}
    warned.redis.hdel(MAPPINGS, "/broken")
    warned.redis.hdel(CHANNELS_SET, "77")
    assert warned.codes == set()


def test_what_the_environment_says_is_told_of(own_server: EmbeddedRedis, own_redis: Redis) -> None:
    """Each by what stands in it."""
    opened = {"HOST": "0.0.0.0", "WEB_PROXY": "open", "EGRESS_ALLOW": "0.0.0.0/0", "AUTH_KEY": "short"}
    codes = Warned(own_server.url, own_redis, opened | {"REDIS_PATIANCE": "5"}).codes
    assert codes == {"startup_doubt", "web_proxy_open", "web_proxy_opens_network", "egress_opens_all", "secret_short"}


def test_it_is_answered_to_the_admin_alone(gateway: GatewayProcess) -> None:
    """With code, message, severity and link each, the worst first; no worker runs beside this gateway."""
    assert gateway.request("GET", "/api/warnings").status == 401
    found = gateway.admin("GET", "/api/warnings").json()["warnings"]
    assert all(set(one) == {"code", "message", "severity", "link"} for one in found)
    assert all(one["severity"] == KINDS[one["code"]].severity.value for one in found)
    order = [one["severity"] for one in found]
    assert order == sorted(order, key=["error", "warning", "info"].index)
