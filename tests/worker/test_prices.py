"""The worker makes the built-in table of the installed package, and web processes never load that."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from functools import cache
from importlib.metadata import version
from pathlib import Path

import genai_prices
import pytest
from genai_prices.data import providers

from app.core.money.amounts import NANO
from app.core.money.overrides import Overrides
from app.core.money.prices import Prices
from app.core.money.table import FORMAT, LONGEST_NAME, PriceTable
from app.storage.connections import MAPPINGS_VERSION, TABLE, Redis
from app.storage.embedded import EmbeddedRedis
from tests.support.gateway import GatewayProcess
from tests.support.prices import used
from tests.support.waiting import wait_until
from tests.support.worker_process import StartWorker
from worker.price_table import build
from worker.prices import PriceTableKeeper

MAKERS = ("anthropic", "openai", "google", "x-ai", "deepseek", "mistral", "moonshotai", "zai")
NOW = datetime(2026, 11, 28, 12, 30, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
KEY = f"{TABLE}price_table"
NAMED = f"genai-prices {version('genai-prices')}"


@cache
def table() -> PriceTable:
    return PriceTable(NAMED, build())


@cache
def found() -> Prices:
    return Prices(table(), Overrides())


def names(provider_id: str) -> list[str]:
    """Those of a provider's models by which the package itself finds them."""
    provider = next(one for one in providers if one.id == provider_id)
    return [model.id for model in provider.models if provider.find_model(model.id) is model]


@pytest.mark.parametrize("provider_id", MAKERS)
def test_a_call_costs_what_the_package_itself_says(provider_id: str) -> None:
    """Below and above tiers, of every model of those who made it that is paid by tokens alone."""
    compared = 0
    for name in names(provider_id):
        price = found().price_of(name, NOW_MS)
        if price is None:
            continue
        for tokens in (1_000, 300_000):
            ours = found().cost(used(input=tokens, cached=tokens, output=777), name, NANO, NOW_MS)
            usage = genai_prices.Usage(input_tokens=2 * tokens, cache_read_tokens=tokens, output_tokens=777)
            theirs = genai_prices.calc_price(usage, name, provider_id=provider_id, genai_request_timestamp=NOW)
            assert ours.nano == int((theirs.total_price * NANO).quantize(Decimal(1), "ROUND_HALF_UP")), name
            compared += 1
    assert compared > 10


@pytest.mark.parametrize(
    ("model", "dollars"),
    [
        ("claude-sonnet-4-5", "18"),
        ("claude-sonnet-4-5-20250929", "18"),
        ("claude-sonnet-4-5@20250929", "18"),
        ("claude-3-5-haiku-latest", "4.8"),
        ("claude-haiku-4-5-20251001", "6"),
        ("gpt-5", "11.25"),
        ("gpt-5-2025-08-07", "11.25"),
        ("gpt-5-nano-2025-08-07", "0.45"),
        ("gpt-4o-2024-05-13", "20"),
        ("gemini-2.5-flash", "2.8"),
        ("text-embedding-3-small", "0.02"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "19.8"),
        ("deepseek/deepseek-r1:free", "0"),
    ],
)
def test_well_known_names_are_priced(model: str, dollars: str) -> None:
    """At low use: a million each of input and output, in calls of a thousand."""
    cost = found().cost(used(input=1000, output=1000), model, NANO, NOW_MS)
    assert cost.nano == Fraction(dollars) * NANO / 1000


@pytest.mark.parametrize(
    "model",
    ["gpt-5-codex-preview", "claude-sonnet-4-5-thinking", "my-own-model", "whisper-1", "tts-1", "mistral-ocr-2505"],
)
def test_a_longer_name_an_unknown_one_and_what_is_not_paid_by_tokens_are_unpriced(model: str) -> None:
    assert found().cost(used(input=1000, output=1000), model, NANO, NOW_MS).unpriced


def test_what_is_searched_heard_and_written_to_caches_is_priced_as_the_package_says() -> None:
    assert found().cost(used(web_search_requests=2), "claude-sonnet-4-5", NANO, NOW_MS).nano == NANO // 50
    assert found().cost(used(input=10, audio_input=10), "gemini-2.5-flash", NANO, NOW_MS).nano == 10_000
    assert found().cost(used(input=10, audio_input=10), "gpt-4o-audio-preview", NANO, NOW_MS).unpriced
    assert found().cost(used(cache_write_5m=10), "claude-sonnet-4-5", NANO, NOW_MS).nano == 37_500
    assert found().cost(used(cache_write_1h=10), "claude-sonnet-4-5", NANO, NOW_MS).nano == 60_000
    assert found().cost(used(input=10, service_tier="flex"), "gpt-5", NANO, NOW_MS).nano == 6_250
    assert found().cost(used(input=10, service_tier="scale"), "gpt-5", NANO, NOW_MS).unpriced
    assert found().cost(used(input=10, service_tier="fast"), "claude-opus-5", NANO, NOW_MS).nano == 100_000
    assert found().cost(used(input=10, service_tier="fast"), "claude-haiku-4-5", NANO, NOW_MS).unpriced


def test_the_table_is_small_and_holds_names_that_can_be_asked_for() -> None:
    text = build()
    lines = [line.split("\t") for line in text.strip("\n").split("\n")]
    assert len(text) < 250_000
    assert len(lines) == len(table()) > 1_500
    assert len({name for name, _ in lines}) == len(lines)
    for name, _ in lines:
        assert name == name.lower()
        assert len(name) <= LONGEST_NAME
        assert table().quote(name, NOW_MS) is not None


def test_a_worker_stores_the_table_at_its_start_in_the_place_of_another_version(
    own_redis: Redis, start_worker: StartWorker
) -> None:
    own_redis.hset(KEY, mapping={"version": "genai-prices 0.0.1", "format": FORMAT, "text": "\nm\t{}\n"})
    start_worker()
    wait_until(lambda: own_redis.hget(KEY, "version") == NAMED.encode(), "the table is stored", timeout_s=30)
    assert own_redis.hget(KEY, "text") == build().encode()
    assert not own_redis.exists(MAPPINGS_VERSION), "it is no word of the operator's"


def test_the_table_that_is_stored_already_is_not_made_again(own_redis: Redis) -> None:
    own_redis.hset(KEY, mapping={"version": NAMED, "format": FORMAT, "text": "as it is"})
    assert not PriceTableKeeper(own_redis).keep()
    own_redis.hset(KEY, "format", "0")
    assert PriceTableKeeper(own_redis).keep()
    assert own_redis.hget(KEY, "text") == build().encode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_process_that_makes_the_table_ends_with_the_worker(
    own_redis: Redis, start_worker: StartWorker, number: signal.Signals
) -> None:
    worker = start_worker()
    makers = wait_until(lambda: children_of(worker.pid), "it is being made", timeout_s=30)
    worker.send_signal(number)
    worker.wait(5)
    wait_until(lambda: not any(map(runs, makers)), "it has ended")


def runs(pid: str) -> bool:
    """False for one that has ended, though nobody may have taken note of that."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_text())
    except OSError:
        return False


def children_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split() + [
        child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def test_a_web_process_has_a_new_table_within_a_second_and_loads_no_package(
    own_server: EmbeddedRedis,
    own_redis: Redis,
    start_worker: StartWorker,
    start_gateway: Callable[..., GatewayProcess],
) -> None:
    gateway = start_gateway(REDIS_URL=own_server.url)
    before = gateway.admin("GET", "/api/prices").json()
    assert before["price_version"] == "none"
    assert "no worker" in before["built_in"]["warning"]
    start_worker()
    wait_until(lambda: own_redis.hexists(KEY, "version"), "the table is stored", timeout_s=30)
    wait_until(lambda: gateway.admin("GET", "/api/prices").json()["price_version"] == NAMED, "it is known", timeout_s=2)
    told = gateway.admin("GET", "/api/prices").json()["built_in"]
    assert told == {"version": NAMED, "models": len(table()), "warning": None}
    for pid in gateway.worker_pids():
        with open(f"/proc/{pid}/maps") as maps:
            assert "pydantic_core" not in maps.read()


def test_no_module_of_the_gateway_imports_the_package() -> None:
    heavy = "[name for name in sys.modules if name.startswith(('genai', 'pydantic'))]"
    code = f"import sys, app, app.gateway, app.routes; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
