"""What lines of CSV files say of channels: those of ccLoad in every form that it has written, and ours."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from app.core.channels.csv_keys import FileKey, KeyCells, write_keys
from app.core.channels.csv_reading import ChannelRow, read_heading, read_row
from app.core.channels.csv_writing import COLUMNS, write_row
from app.core.channels.definition import parse_channel
from app.core.errors import Invalid
from app.wire.csv_files import read_records, write_record

V1_66 = "id,name,api_key,url,priority,models,model_redirects,channel_type,key_strategy,enabled"
V4_7 = (
    "id,name,api_key,api_key_allowed_models,api_key_cost_multipliers,api_key_priorities,api_key_model_scope_empty,urls,"
    "priority,rpm_limit,max_concurrency,models,model_redirects,protocol_transform_mode,key_strategy,enabled,"
    "scheduled_check_enabled,scheduled_check_model,cooldown_detection_rules,retry_other_keys_on_failure,auth_type,"
    "oauth_credential,management_daily_checkin_enabled,management_daily_checkin_time,websockets,"
    "scheduled_check_interval_minutes,scheduled_check_start_time,model_pricing"
)


def row_of(heading: str, *cells: str) -> ChannelRow:
    return read_one(f"{heading}\n{write_record(cells)}")


def read_one(text: str) -> ChannelRow:
    heading, line = read_records(text.encode())
    return read_row(read_heading(heading), line)


def least(**cells: str) -> ChannelRow:
    """A line of the columns that must be, and these."""
    said = {"name": "one", "api_key": "k", "url": "https://one.example", "models": "m"} | cells
    return row_of(",".join(said), *said.values())


def test_a_line_of_version_1_66_is_read_whole() -> None:
    cells = ("7", "甲", "k1,k2", "https://one.example/", "10", "claude-a,claude-b", '{"claude-b":"real"}')
    row = row_of(V1_66, *cells, "codex", "round_robin", "false")
    assert row.keys == KeyCells(["k1", "k2"])
    assert (row.notes, row.guessed) == ((), ())
    channel = parse_channel("1", row.said)
    assert (channel.name, channel.priority, channel.enabled, channel.key_strategy) == ("甲", 10, False, "round_robin")
    assert channel.dialects == {"responses"}
    assert [tuple(model) for model in channel.models] == [("claude-a", ""), ("claude-b", "real")]


def test_a_line_of_version_4_is_read_and_what_is_not_taken_is_told() -> None:
    urls = '[{"url":"https://a.example","protocols":["openai","codex"]},{"url":"https://b.example"}]'
    cells = {"id": "3", "name": "one", "api_key": "k1,k2", "api_key_allowed_models": '[["m"],null]', "urls": urls}
    cells |= {"api_key_cost_multipliers": "[1,2]", "api_key_priorities": "[0,0]", "priority": "-3", "rpm_limit": "60"}
    cells |= {"api_key_model_scope_empty": "[false,true]", "max_concurrency": "4", "models": "m,claude-x"}
    cells |= {"model_redirects": "{}", "protocol_transform_mode": "local", "key_strategy": "", "enabled": "true"}
    cells |= {"scheduled_check_enabled": "true", "auth_type": "api_key", "websockets": "false", "model_pricing": "{}"}
    row = row_of(V4_7, *(cells.get(column, "") for column in V4_7.split(",")))
    assert row.notes == ("protocol_transform_mode is not taken", "api_key_cost_multipliers is not taken")
    assert row.keys == KeyCells(["k1", "k2"], None, [("m",), ()], [True, False])
    assert row.said["dialects"] == ["openai", "responses"]
    assert row.guessed == ("anthropic", "openai")
    channel = parse_channel("1", row.said)
    assert (channel.priority, channel.requests_per_minute, channel.max_concurrency) == (-3, 60, 4)
    assert (channel.key_strategy, channel.check_model) == ("sequential", "m")


@pytest.mark.parametrize("order", range(3))
def test_columns_may_stand_in_any_order(order: int) -> None:
    cells = write_row(parse_channel("1", ALL_FIELDS), write_keys(KEYS))
    shuffled = list(zip(COLUMNS, cells, strict=True))
    Random(order).shuffle(shuffled)
    assert row_of(",".join(column for column, _ in shuffled), *(cell for _, cell in shuffled)) == row_of(
        ",".join(COLUMNS), *cells
    )


@pytest.mark.parametrize(
    ("heading", "column", "cell", "said"),
    [
        ("策略", "key_strategy", "round_robin", "round_robin"),
        ("使用策略", "key_strategy", "", "sequential"),
        ("Key-Strategy", "key_strategy", "SEQUENTIAL", "sequential"),
        ("Status", "enabled", "禁用", False),
        ("状态", "enabled", "启用", True),
        ("enabled", "enabled", "Off", False),
        ("enabled", "enabled", "", True),
        ("优先级", "priority", "-7", -7),
        ("priority", "priority", "", 0),
        ("RPM Limit", "requests_per_minute", "9", 9),
        ("concurrency", "max_concurrency", "9", 9),
        ("备注", "note", "x", "x"),
    ],
)
def test_columns_go_by_their_names_in_either_language(heading: str, column: str, cell: str, said: Any) -> None:
    assert least(**{heading: cell}).said[column] == said


def test_all_required_columns_have_chinese_names() -> None:
    row = row_of(
        "名称,密钥,地址,模型,模型重定向,类型", "one", "k", "https://one.example", "m|n;o\tp", '{"m":"x"}', "Gemini"
    )
    assert row.said["dialects"] == ["gemini"]
    assert [(one["name"], one["upstream_name"]) for one in row.said["models"]] == [
        ("m", "x"), ("n", ""), ("o", ""), ("p", ""),
    ]  # fmt: skip


def test_models_may_be_json_as_ccloads_readme_has_them() -> None:
    assert [model["name"] for model in least(models='["claude-3-sonnet","b"]').said["models"]] == [
        "claude-3-sonnet", "b",
    ]  # fmt: skip


def test_a_column_that_is_not_there_says_nothing() -> None:
    assert set(least().said) == {"name", "urls", "models", "dialects"}


@pytest.mark.parametrize(
    ("url", "models", "dialects"),
    [
        ("https://api.anthropic.com", "x", ("anthropic",)),
        ("https://api.openai.com", "x", ("openai", "responses")),
        ("https://generativelanguage.googleapis.com", "x", ("gemini",)),
        ("https://relay.example", "claude-x", ("anthropic",)),
        ("https://relay.example", "gpt-5,gemini-2", ("openai", "responses", "gemini")),
        ("https://relay.example", "deepseek-chat", ("openai",)),
    ],
)
def test_dialects_are_guessed_where_ccload_finds_them_by_itself(
    url: str, models: str, dialects: tuple[str, ...]
) -> None:
    row = least(url=url, models=models)
    assert (row.said["dialects"], row.guessed) == ([], dialects)


def test_an_empty_channel_type_is_anthropic() -> None:
    row = least(channel_type="")
    assert (row.said["dialects"], row.guessed) == (["anthropic"], ())


@pytest.mark.parametrize(
    ("url", "base", "dialects"),
    [
        ("https://x.example/api/paas/v4/chat/completions#", "https://x.example/api/paas/v4", ["openai"]),
        ("https://x.example/v1/messages#", "https://x.example/v1", ["anthropic"]),
        ("https://x.example/v1/responses#", "https://x.example/v1", ["responses"]),
    ],
)
def test_an_exact_address_becomes_the_base_below_which_it_is_asked_for(
    url: str, base: str, dialects: list[str]
) -> None:
    row = least(url=url)
    assert row.said["urls"] == [{"url": base, "dialects": dialects, "exact": True}]
    assert row.said["dialects"] == dialects


def test_several_urls_stand_one_a_line() -> None:
    assert [url["url"] for url in least(url="https://a.example\n\nhttps://b.example").said["urls"]] == [
        "https://a.example", "https://b.example",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"name": " "}, "lacks name"),
        ({"api_key": "", "models": ""}, "lacks models, api_key"),
        ({"url": ""}, "lacks url"),
        ({"channel_type": "azure"}, "channel_type must be one of"),
        ({"priority": "high"}, "priority must be a whole number"),
        ({"enabled": "maybe"}, "enabled must be true or false"),
        ({"model_redirects": "{a"}, "model_redirects is no JSON"),
        ({"api_key": "good,schlüssel"}, "number 2 of api_key cannot be a key"),
        ({"auth_type": "codex_oauth"}, "login by OAuth"),
        ({"url": "https://x.example/other#"}, "exact address"),
        ({"api_key": "a,b", "api_key_notes": '["one"]'}, "an entry for each of the 2 keys"),
        ({"options": "[]"}, "options must be an object"),
    ],
)
def test_a_line_that_cannot_be_says_which_cell_is_wrong(cells: dict[str, str], reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        least(**cells)


def test_an_error_shows_no_key() -> None:
    with pytest.raises(Invalid) as caught:
        least(api_key="sk-geheim-ü")
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("heading", "reason"),
    [
        ("name,url,models", "lacks api_key"),
        ("name,apikey,models", "lacks url"),
        ("name,api_key,url,models,Model", "models stands twice"),
    ],
)
def test_a_heading_that_cannot_be_is_refused(heading: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        read_one(f"{heading}\n1,2,3\n")


# --- ours ---

ALL_FIELDS: dict[str, Any] = {
    "name": '=一, "x"',
    "dialects": ["responses", "openai"],
    "urls": [
        {"url": "https://a.example/v1", "weight": 3, "dialects": ["openai"], "exact": True},
        {"url": "https://b.example"},
    ],
    "models": [{"name": "a,b", "upstream_name": "-c"}, {"name": "*"}],
    "priority": -5,
    "weight": 2,
    "enabled": False,
    "key_strategy": "sequential",
    "max_concurrency": 3,
    "requests_per_minute": 4,
    "key_max_concurrency": 5,
    "key_requests_per_minute": 6,
    "cost_per_day_usd": "1.50",
    "cost_multiplier": "0.8",
    "hours": "22:00-06:00 Asia/Shanghai",
    "header_rules": [{"action": "set", "name": "X", "value": '=1,"2"'}],
    "body_rules": [{"action": "set", "path": "a.b", "value": None}],
    "proxy_url": "socks5://u:p@h.example:1",
    "check_model": "m",
    "note": "@note\nof two lines",
    "options": {"queue_timeout": 1.5},
    "auth": "both",
}
KEYS = [
    FileKey("sk-1"),
    FileKey("=k2", 'a, "note"', ("m", "n"), enabled=False),
    FileKey("a,b"),
]


@pytest.mark.parametrize(
    "said", [ALL_FIELDS, {name: ALL_FIELDS[name] for name in ("name", "dialects", "urls", "models")}]
)
@pytest.mark.parametrize("keys", [KEYS, KEYS[:1], []])
def test_what_we_write_is_read_as_it_was(said: dict[str, Any], keys: list[FileKey]) -> None:
    """All that may be said of a channel and its keys comes back, whatever their texts hold."""
    channel = parse_channel("1", said)
    row = row_of(",".join(COLUMNS), *write_row(channel, write_keys(keys)))
    assert (row.notes, row.guessed) == ((), ())
    assert parse_channel("1", row.said).said == channel.said
    read = [row.keys.at(place) for place in range(len(keys))] if row.keys else []
    assert read == keys


def test_a_file_without_secrets_holds_none_and_says_nothing_of_keys() -> None:
    channel = parse_channel("1", ALL_FIELDS)
    cells = write_row(channel, write_keys([FileKey("sk-0123456789")], secrets=False), secrets=False)
    assert "sk-0…6789" in cells
    assert not any("sk-0123456789" in cell or "u:p@" in cell for cell in cells)
    assert row_of(",".join(COLUMNS), *cells).keys is None


def test_a_url_that_was_changed_in_one_of_two_columns_is_told() -> None:
    cells = dict(zip(COLUMNS, write_row(parse_channel("1", ALL_FIELDS), write_keys(KEYS)), strict=True))
    cells["url"] = "https://c.example"
    with pytest.raises(Invalid, match="not the same"):
        row_of(",".join(cells), *cells.values())


def test_a_hundred_thousand_keys_are_read_in_steps() -> None:
    pauses: list[None] = []
    secrets = [f"sk-{number:040}" for number in range(100_000)]
    text = f'name,api_key,url,models\none,"{",".join(secrets)}",https://one.example,m\n'
    heading, line = read_records(text.encode())
    row = read_row(read_heading(heading), line, lambda: pauses.append(None))
    assert row.keys == KeyCells(secrets)
    assert len(pauses) > 100


def test_a_cell_of_very_many_entries_is_refused_before_it_is_taken_apart() -> None:
    """Whoever sends a wrong file holds up no call."""
    with pytest.raises(Invalid, match="models has more than 20,000 entries"):
        least(models="m," * 20_001)
