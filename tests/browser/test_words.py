"""The pages say what the server objects to in their reader's language, beside the field to blame."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import get_args

import pytest
import redis
from playwright.sync_api import Browser, Page, expect

from app.core.judging.outcome import Outcome
from app.core.setting_table import MAPPING_OPTIONS, SETTINGS
from app.routes.admin.answers import Code
from app.storage.connections import ADMIN_FAILURES, STATS_ROLLED_AT, Redis
from app.storage.embedded import EmbeddedRedis
from tests.support.admin_pages import OpenPage, expect_blamed, log_in
from tests.support.gateway import ROOT, GatewayProcess
from tests.support.own_redis import kill, own_redis, own_server, revive
from worker.roll_up import RollUp

__all__ = ["own_redis", "own_server"]


LOCKED = "Too many wrong tokens came from your address."
CHINESE = re.compile("[\u4e00-\u9fff]")
OpenAdmin = Callable[[str], Page]


@pytest.fixture(autouse=True)
def forgive(redis_client: redis.Redis) -> Iterator[None]:
    """No test locks the address out for the others."""
    yield
    for key in redis_client.scan_iter(ADMIN_FAILURES + "*"):
        redis_client.delete(key)


@pytest.fixture
def open_admin(open_page: OpenPage) -> OpenAdmin:
    """Opens the log-in."""

    def open_admin(locale: str) -> Page:
        page = open_page("/admin", locale=locale)
        page.locator("input[name=token]").wait_for()
        return page

    return open_admin


def all_words() -> str:
    """The sources of all words of the pages."""
    scripts = ROOT / "admin_ui" / "js"
    return "\n".join(path.read_text() for path in (scripts / "i18n.js", *sorted((scripts / "words").glob("*.js"))))


def test_no_word_is_there_twice() -> None:
    """The files of words make one dictionary, in which a later word would hide an earlier one."""
    names = re.findall(r"^  '?([\w./-]+)'?: \[", all_words(), re.MULTILINE)
    assert len(names) > 400
    assert sorted(names) == sorted(set(names))


def test_every_word_that_is_asked_for_is_there() -> None:
    """In the scripts of all pages; those whose names are put together are looked up by `knows` or tested where used."""
    names = set(re.findall(r"^  '?([\w./-]+)'?: \[", all_words(), re.MULTILINE))
    asked = {
        name
        for path in (ROOT / "admin_ui" / "js").rglob("*.js")
        for name in re.findall(r"\bt\('([\w.-]+)'", path.read_text())
    }
    assert len(asked) > 200
    assert asked - names == set()


def test_sentences_of_the_gateway_that_the_page_words_anew_are_still_said() -> None:
    """Each piece of their patterns stands in the sources, else a reader of Chinese would meet English one day."""
    patterns = re.findall(r"^  \[/\^(.*)\$?/, '", (ROOT / "admin_ui" / "js" / "sentences.js").read_text(), re.MULTILINE)
    pieces = {piece for pattern in patterns for piece in re.split(r"\(.*?\)|\\w\+|\$", pattern) if piece}
    sources = "".join(path.read_text() for floor in ("app", "worker") for path in (ROOT / floor).rglob("*.py"))
    assert len(pieces) > 10
    assert {piece for piece in pieces if piece not in sources} == set()


@pytest.mark.parametrize("outcome", [*Outcome])
def test_every_outcome_has_words(outcome: Outcome) -> None:
    """An operator reads why something rests in his own language."""
    assert re.search(rf"^  outcome_{outcome.value}: \[.*[\u4e00-\u9fff]", all_words(), re.MULTILINE)


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_every_code_has_words_in_both_languages(open_admin: OpenAdmin, locale: str) -> None:
    """Whatever code the admin API can send, the page says it in its own words and language."""
    page = open_admin(locale)
    for code in get_args(Code):
        said = page.evaluate(
            """async (code) => {
                const { problemText } = await import('/static/js/problem.js');
                return problemText({ status: 400, code, field: 'x', message: 'server', retryAfterS: 0 });
            }""",
            code,
        )
        assert said.strip(), code
        assert "server" not in said, code
        assert bool(CHINESE.search(said)) == (locale == "zh-CN"), (code, said)


def test_no_code_is_sent_that_is_not_listed() -> None:
    """Words in the page are for codes that exist, so a code that is renamed leaves none behind."""
    words = all_words()
    said = set(re.findall(r"^  error_(\w+): \[", words, re.MULTILINE))
    codes = set(get_args(Code))
    assert codes <= said
    assert {name for name in said - codes if not any(name.startswith(f"{code}_") for code in codes)} == set()


@pytest.mark.parametrize(
    ("locale", "prefix_says", "target_says", "limit_says"),
    [
        ("en-US", "are the gateway’s own", "begins with http://", "A whole number from 0 to 1,000,000 (calls)."),
        ("zh-CN", "网关自用的名称", "以 http:// 或 https:// 开头", "应为 0 到 1,000,000 之间的整数（个请求）。"),
    ],
)
def test_an_objection_stands_beside_its_field(
    open_admin: OpenAdmin, gateway: GatewayProcess, locale: str, prefix_says: str, target_says: str, limit_says: str
) -> None:
    """Prefix, target and a limit in the dialog: each is marked and described, and only the one to blame."""
    page = open_admin(locale)
    log_in(page, gateway.admin_token)
    page.locator(".panel-head button.primary").click()
    dialog = page.get_by_role("dialog")
    prefix, target = dialog.locator("input[name=prefix]"), dialog.locator("input[name=target]")
    submit = dialog.locator("button[type=submit]")
    submit.click()
    expect_blamed(prefix, prefix_says)
    prefix.fill("/words")
    submit.click()
    expect_blamed(target, target_says)
    expect(prefix).to_have_attribute("aria-invalid", "false")
    expect(dialog.get_by_role("alert")).to_have_count(1)
    assert "JSON" not in dialog.inner_text()
    target.fill("http://127.0.0.1:1")
    prefix.fill("/api/x")
    submit.click()
    expect_blamed(prefix, prefix_says)
    prefix.fill("/words")
    dialog.locator("summary").click()
    limit = dialog.locator("input[name=max_concurrency]")
    limit.fill("1.5")
    submit.click()
    expect_blamed(limit, limit_says)
    expect(dialog.get_by_role("alert")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


@pytest.mark.parametrize(
    ("locale", "wrong", "locked"),
    [
        (
            "en-US",
            "This is not the admin token.",
            f"{LOCKED} Try again in 15 minutes.",
        ),
        ("zh-CN", "管理令牌不正确。", "您的地址多次输入错误令牌，已被锁定。请在 15 分钟后重试。"),
    ],
)
def test_a_lock_is_said_once(open_admin: OpenAdmin, locale: str, wrong: str, locked: str) -> None:
    """A wrong token is said beside the field; a lock says once how long it lasts."""
    page = open_admin(locale)
    field = page.locator("input[name=token]")
    log_in(page, "wrong")
    expect_blamed(field, wrong)
    for _ in range(5):
        log_in(page, "wrong")
        expect(page.locator("button[type=submit]")).to_be_enabled()
    expect(page.get_by_role("alert")).to_have_text(locked)
    page.locator("#language").click()
    expect(page.get_by_role("alert")).not_to_have_text(locked)


@pytest.fixture
def beside(own_redis: Redis, own_server: EmbeddedRedis) -> Iterator[GatewayProcess]:
    """A gateway on a Redis that a test may kill."""
    process = GatewayProcess(own_server.url).start()
    yield process
    process.stop()


def test_a_dead_worker_is_not_called_a_dead_redis(
    browser: Browser, beside: GatewayProcess, own_redis: Redis, own_server: EmbeddedRedis
) -> None:
    """Old figures are explained by what is missing: the worker while Redis answers, else Redis."""
    RollUp(own_redis).run(time.time_ns() // 1_000_000)
    own_redis.decrby(STATS_ROLLED_AT, 60_000)
    page = browser.new_page(locale="en-US", base_url=beside.url)
    page.goto("/")
    expect(page.locator(".banner.warn")).to_contain_text("The worker, which counts the calls, does not run.")
    kill(own_server)
    try:
        page.get_by_role("button", name="Refresh").click()
        expect(page.locator(".banner.warn")).to_contain_text("Redis does not answer.")
    finally:
        page.close()
        revive(own_server)


@pytest.mark.parametrize("name", [*SETTINGS, *MAPPING_OPTIONS])
def test_every_setting_has_a_name_and_a_meaning(name: str) -> None:
    """In both languages: no reader meets a variable's name alone."""
    words = all_words()
    for key in (f"name_{name}", f"meaning_{name}"):
        entry = re.search(rf"^  {key}: \[(.*?)\],$", words, re.MULTILINE | re.DOTALL)
        assert entry, key
        assert CHINESE.search(entry[1]), key
