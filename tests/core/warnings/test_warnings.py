"""Each warning is there while its reason holds, and no longer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from app.core.channels.keys import KeyCounts
from app.core.choosing.standing import Full, Keys, Rest
from app.core.errors import Invalid
from app.core.model import AccessToken, Channel
from app.core.money.budget import Spent
from app.core.network.egress import parse_entries
from app.core.warnings.channels import Pool, of_keys, of_models
from app.core.warnings.deployment import Deployment, of_deployment
from app.core.warnings.service import FAILED_LATELY_MS, EndedTask, Service, of_rejected, of_service
from app.core.warnings.tokens import EXPIRES_SOON_MS, of_budgets, of_prices, of_tokens
from app.core.warnings.warning import KINDS, GatewayWarning, listed, told, warning
from tests.support.standing import StandingHealth, channel

NOW_MS = 1_000_000_000_000
QUIET = Deployment((), "token", False, (), (("ADMIN_TOKEN", 32),), True)
WELL = Service((), "", "", True, True, "", ())
FAILED = EndedTask("7", "import_keys", "1", True, NOW_MS)
TOKEN = AccessToken("1", "alice")


def codes(found: Iterable[GatewayWarning]) -> list[str]:
    return [one.code for one in found]


def the_one(found: Iterable[GatewayWarning]) -> GatewayWarning:
    (one,) = found
    return one


# --- what the deployment says ---


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"doubts": ("PROT is not known",)}, "startup_doubt"),
        ({"web_proxy": "open"}, "web_proxy_open"),
        (
            {"web_proxy": "open", "only_here": True, "egress_allow": parse_entries("10.0.0.5")},
            "web_proxy_opens_network",
        ),
        ({"egress_allow": parse_entries("0.0.0.0/0")}, "egress_opens_all"),
        ({"secrets": (("ADMIN_TOKEN", 15),)}, "secret_short"),
        ({"is_compiled": False}, "not_compiled"),
    ],
)
def test_what_the_deployment_says_is_warned_of_until_it_says_otherwise(changes: dict[str, Any], code: str) -> None:
    assert codes(of_deployment(QUIET)) == []
    assert codes(of_deployment(QUIET._replace(**changes))) == [code]


def test_what_nobody_else_can_reach_is_open_to_nobody_else() -> None:
    """On loopback an open web proxy and a short token are the operator's own affair; so is a network he allowed."""
    here = QUIET._replace(only_here=True, web_proxy="open", secrets=(("ADMIN_TOKEN", 3),))
    assert codes(of_deployment(here)) == []
    assert codes(of_deployment(QUIET._replace(egress_allow=parse_entries("10.0.0.0/8,[::1]:80,intern.example")))) == []


# --- what it stands on ---


@pytest.mark.parametrize(
    ("changes", "code", "about"),
    [
        ({"refusals": ("", "refuses: it is full", "refuses: it is full")}, "redis_refuses", "it refuses: it is full"),
        ({"doubt": "Redis lost the mappings"}, "catalog_in_doubt", "Redis lost the mappings"),
        ({"worker_is_alive": False}, "worker_silent", ""),
        ({"has_prices": False}, "prices_missing", ""),
        ({"log_trouble": "away", "log_waiting": 1234}, "database_away", "away (1,234 rows wait)"),
        ({"log_dropped": 1234}, "log_rows_dropped", "1,234"),
        ({"copy_trouble": "Redis holds version 3"}, "copy_behind", "Redis holds version 3"),
        ({"keys_file_trouble": "keys.txt is not there"}, "keys_file_not_taken", "keys.txt is not there"),
        ({"ended_tasks": (FAILED,)}, "tasks_failed", "7 (import_keys)"),
    ],
)
def test_what_a_gateway_stands_on_is_warned_of_until_it_is_well(changes: dict[str, Any], code: str, about: str) -> None:
    assert codes(of_service(WELL, NOW_MS)) == []
    found = the_one(of_service(WELL._replace(**changes), NOW_MS))
    assert (found.code, found.message.partition(": ")[2]) == (code, about)


@pytest.mark.parametrize(
    "ended",
    [
        [FAILED._replace(ended_at_ms=NOW_MS - FAILED_LATELY_MS - 1)],
        [FAILED._replace(id="8", failed=False), FAILED],
    ],
    ids=["a day ago", "done since"],
)
def test_a_task_that_failed_is_forgotten(ended: list[EndedTask]) -> None:
    """In a day, or when the same was done for its channel."""
    assert codes(of_service(WELL._replace(ended_tasks=ended), NOW_MS)) == []


def test_another_channels_task_makes_up_for_nothing() -> None:
    ended = (FAILED._replace(id="8", failed=False, channel_id="2"), FAILED)
    assert codes(of_service(WELL._replace(ended_tasks=ended), NOW_MS)) == ["tasks_failed"]


@pytest.mark.parametrize("noun", ["settings", "mappings", "channels", "outcome_rules", "access_tokens", "prices"])
def test_what_is_stored_and_makes_no_sense_is_warned_of(noun: str) -> None:
    """By its noun, with the reason."""
    part = SimpleNamespace(rejected={})
    assert codes(of_rejected({noun: part})) == []
    part.rejected["one"] = Invalid("it is no JSON")
    found = the_one(of_rejected({noun: part}))
    assert found.code == f"{noun}_rejected"
    assert found.message.endswith(": one (it is no JSON)")


# --- access tokens and money ---


def test_channels_need_an_access_token_in_force() -> None:
    """A disabled or expired one is none; where nobody needs one, none is missed."""
    dead = [replace(TOKEN, enabled=False), replace(TOKEN, expires_at_ms=NOW_MS)]
    assert codes(of_tokens(dead, NOW_MS, is_needed=True)) == ["no_access_token"]
    assert codes(of_tokens(dead, NOW_MS, is_needed=False)) == []
    assert codes(of_tokens([*dead, TOKEN], NOW_MS, is_needed=True)) == []


def test_a_token_is_told_of_a_week_before_it_expires_and_no_more_when_it_has() -> None:
    def told_at(now_ms: int) -> list[str]:
        return codes(of_tokens([replace(TOKEN, expires_at_ms=NOW_MS)], now_ms, is_needed=False))

    assert told_at(NOW_MS - EXPIRES_SOON_MS - 1) == []
    assert told_at(NOW_MS - EXPIRES_SOON_MS) == ["tokens_expiring"]
    assert told_at(NOW_MS) == []


@pytest.mark.parametrize("period", ["total_nano", "day_nano", "month_nano"])
def test_a_budget_that_is_spent_is_warned_of(period: str) -> None:
    """Of each kind, by itself, when 95 % are; until it is raised or turns. One of 0 was never to be spent."""
    token = replace(TOKEN, **{period: 100})
    assert codes(of_budgets([(token, Spent(94, 94, 94, 9))])) == []
    spent = Spent(**{period: 95})
    assert the_one(of_budgets([(token, spent)])).message.endswith(": alice")
    assert codes(of_budgets([(replace(token, **{period: 101}), spent)])) == []
    assert codes(of_budgets([(replace(token, **{period: 0}), spent), (TOKEN, spent)])) == []


def test_models_without_a_price_are_named() -> None:
    assert codes(of_prices([])) == []
    assert the_one(of_prices(["m", "n"])).message.endswith(": m, n")


# --- channels ---


def of_pools(*channels: Channel, encrypts: bool = True, **pools: Pool) -> list[GatewayWarning]:
    return list(of_keys(channels, lambda id: pools[id], lambda: None, encrypts=encrypts))


ONE_GOOD = Pool(KeyCounts(1, active=1), 0, 0)


@pytest.mark.parametrize(
    ("pool", "code"),
    [
        (Pool(KeyCounts(), 0, 0), "channels_without_keys"),
        (Pool(KeyCounts(3, blacklisted=2, disabled=1), 0, 0), "channels_without_usable_keys"),
        (Pool(KeyCounts(2, active=2), 1, 0), "keys_unreadable"),
        (Pool(KeyCounts(2, active=2), 0, 2), "keys_out_of_line"),
    ],
)
def test_keys_are_warned_of_until_they_are_well(pool: Pool, code: str) -> None:
    a, b = channel("a", name="one"), channel("b")
    assert of_pools(a, b, a=ONE_GOOD, b=ONE_GOOD) == []
    found = the_one(of_pools(a, b, a=pool, b=ONE_GOOD))
    assert found.code == code
    assert found.message.endswith(": 2" if code == "keys_out_of_line" else ": one")


def test_a_channel_that_is_switched_off_lacks_nothing() -> None:
    assert of_pools(channel("a", enabled=False), a=Pool(KeyCounts(1, disabled=1), 0, 0)) == []


def test_one_channel_is_led_to_and_several_to_their_list() -> None:
    none = Pool(KeyCounts(), 0, 0)
    assert the_one(of_pools(channel("a"), a=none)).link == "#/channels/a/keys"
    assert the_one(of_pools(channel("a"), channel("b"), a=none, b=none)).link == "#/channels"


def test_plain_keys_are_warned_of_where_there_are_any() -> None:
    """Without ENCRYPTION_KEY; no key at all lies plain."""
    a = channel("a", enabled=False)
    assert of_pools(a, encrypts=False, a=Pool(KeyCounts(), 0, 0)) == []
    assert codes(of_pools(a, encrypts=False, a=ONE_GOOD)) == ["keys_plain"]


class Standing(StandingHealth):
    """Models rest by the names that `models` has; keys that are kept for some models stand in `kept`."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, str] = {}
        """The one model of a channel's keys."""

    def resting_models(self, channel_id: str, now_ms: int) -> dict[str, int]:
        resting = {name: rest.until_ms for (id, name), rest in self.models.items() if id == channel_id}
        return {name: until_ms for name, until_ms in resting.items() if until_ms > now_ms}

    def keys(self, channel: Channel, models: tuple[str, ...]) -> Keys:
        kept = self.kept.get(channel.id)
        return Keys(int(kept in models), 1) if kept else super().keys(channel, models)


class Models:
    """What is told of models, as channels stand."""

    def __init__(self, *channels: Channel) -> None:
        self.channels = channels
        self.stand = Standing()
        self.counts: dict[str, KeyCounts] = {}

    def told(self) -> list[GatewayWarning]:
        def pool(id: str) -> Pool:
            return Pool(self.counts.get(id, KeyCounts(1, active=1)), 0, 0)

        return list(of_models(self.channels, pool, self.stand, NOW_MS, lambda: None))

    def unserved(self) -> str:
        found = self.told()
        return found[0].message.partition(": ")[2] if found else ""


RESTS = Rest(NOW_MS + 1)


def test_a_model_is_unserved_while_all_of_its_channels_rest() -> None:
    """The rest of a channel, of a model or of all keys; it goes when one of them is back."""
    models = Models(channel("a", models=["m", "n"]), channel("b", models=["m>upstream-m"]))
    assert models.unserved() == ""
    models.stand.channels["a"] = RESTS
    assert models.unserved() == "n"
    models.stand.models["b", "upstream-m"] = RESTS
    assert models.unserved() == "m, n"
    models.stand.channels["a"] = Rest(NOW_MS)
    assert models.unserved() == ""
    models.counts["a"] = KeyCounts(1, resting=1)
    assert models.unserved() == "m, n"


def test_keys_that_are_kept_for_one_model_serve_no_other() -> None:
    """By the name that the channel calls it, or its upstream."""
    models = Models(channel("a", models=["m>upstream-m", "n"]))
    for name, lacks in (("m", "n"), ("upstream-m", "n"), ("n", "m")):
        models.stand.kept["a"] = name
        assert models.unserved() == lacks


def test_a_channel_for_all_models_serves_them() -> None:
    """In its own dialect."""
    a, openai = channel("a"), channel("b", models=["*"])
    models = Models(a, openai)
    models.stand.channels["a"] = RESTS
    assert models.unserved() == ""
    models.channels = (a, channel("b", models=["*"], dialects=["anthropic"]))
    assert models.unserved() == "m"
    models.stand.channels["b"] = RESTS
    assert models.unserved() == "m", "whoever rests, * is no model's name"


def test_who_does_as_he_was_told_is_in_no_trouble() -> None:
    """A channel that is full, that has cost enough for today, or that is switched off."""
    models = Models(channel("a", max_concurrency=1, cost_per_day_usd="1"))
    models.stand.fulls["a"], models.stand.over_costs_ms["a"] = Full("concurrency"), NOW_MS + 1
    assert models.unserved() == ""
    models.channels = (channel("a", enabled=False),)
    models.stand.channels["a"] = RESTS
    assert models.unserved() == ""


def test_what_another_warning_tells_is_not_told_twice() -> None:
    """Of a channel without any usable key."""
    models = Models(channel("a"))
    models.counts["a"] = KeyCounts(1, blacklisted=1)
    assert models.unserved() == ""


def test_a_models_name_stands_in_its_link_as_a_query_has_it() -> None:
    models = Models(channel("a", models=["a/b & c"]))
    models.stand.channels["a"] = RESTS
    assert the_one(models.told()).link == "#/channels?model=a%2Fb%20%26%20c"


# --- all of them ---


def test_what_a_warning_is_about_stands_behind_the_first_colon() -> None:
    """So pages find it; the sentence before has none."""
    assert not [kind for kind in KINDS.values() if ": " in kind.sentence]
    assert warning("tasks_failed", "7: x").message.partition(": ")[2] == "7: x"


def test_many_are_counted_and_long_names_cut() -> None:
    assert listed("abcdefgh") == "a, b, c, d, e, +3"
    assert listed(["x" * 100]) == "x" * 80 + "…"


def test_the_worst_come_first() -> None:
    order = [kind.severity.value for kind in KINDS.values()]
    assert order == sorted(order, key=["error", "warning", "info"].index)
    assert codes(told([warning("not_compiled"), warning("keys_plain"), warning("worker_silent")])) == [
        "worker_silent",
        "keys_plain",
        "not_compiled",
    ]


def test_links_lead_somewhere(pytestconfig: pytest.Config) -> None:
    """To a view of the admin page, or to a chapter that there is."""
    views = (pytestconfig.rootpath / "admin_ui/js/admin.js").read_text()
    for kind in KINDS.values():
        path, _, name = kind.link.partition("#")
        if path:
            chapters = re.findall(r"^##+ (.+)$", (pytestconfig.rootpath / path).read_text(), re.MULTILINE)
            assert name in [re.sub(r"[^\w-]", "", one.lower().replace(" ", "-")) for one in chapters], kind.link
        else:
            assert f"['{name.removeprefix('/')}'," in views, kind.link
