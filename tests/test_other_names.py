"""Variables by the names that they have with other gateways."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.__main__ import token_place
from app.config import ConfigError, load_config
from app.other_names import OTHER_NAMES, PASSED_OVER
from app.wire.database_url import Tls
from scripts.write_env import complete


def test_ccloads_variables_say_what_ours_say() -> None:
    """All that have a meaning here, with the lines of its README and of its example of an environment."""
    config = load_config(
        {
            "CCLOAD_PASS": "your_secure_password",
            "CCLOAD_API_TOKENS": "token1|production, token2|development,token3",
            "CCLOAD_MAX_CONCURRENCY": "1000",
            "CCLOAD_MAX_BODY_BYTES": "10485760",
            "CCLOAD_COOLDOWN_AUTH_SEC": "301",
            "CCLOAD_COOLDOWN_SERVER_SEC": "121",
            "CCLOAD_COOLDOWN_TIMEOUT_SEC": "61",
            "CCLOAD_COOLDOWN_RATE_LIMIT_SEC": "62",
            "CCLOAD_COOLDOWN_MAX_SEC": "1801",
            "CCLOAD_COOLDOWN_MIN_SEC": "11",
            "CCLOAD_ALLOW_INSECURE_TLS": "0",
            "CCLOAD_MYSQL": "root.x:pass@tcp(gateway01.tidb.example:4000)/ccload?tls=true&charset=utf8mb4",
            "PORT": "8080",
        }
    )
    assert (config.admin_token, config.port) == ("your_secure_password", 8080)
    assert config.auth_keys == ("token1", "token2", "token3")
    assert (config.settings.global_max_concurrency, config.limits.max_body_bytes) == (1000, 10_485_760)
    names = "auth server timeout rate_limit max min".split()
    rests = [getattr(config.settings, f"cooldown_{name}_s") for name in names]
    assert rests == [301, 121, 61, 62, 1801, 11]
    assert str(config.database) == "MySQL root.x@gateway01.tidb.example:4000/ccload"
    assert (config.database.password, config.database.tls) == ("pass", Tls.VERIFIED)
    assert config.doubts == ()


def test_gpt_loads_variables_say_what_ours_say() -> None:
    """Those of its README's first version; what has no meaning here changes nothing."""
    config = load_config(
        {
            "PORT": "3000",
            "HOST": "0.0.0.0",
            "START_INDEX": "7",
            "BLACKLIST_THRESHOLD": "1",
            "MAX_RETRIES": "3",
            "OPENAI_BASE_URL": "https://api.openai.com, https://two.example/v1,",
            "REQUEST_TIMEOUT": "30000",
            "AUTH_KEY": "sk-123456",
            "ENABLE_CORS": "false",
            "MAX_SOCKETS": "50",
            "LOG_LEVEL": "warn",
            "LOG_FORMAT": "text",
            "BUFFER_SIZE": "32768",
        }
    )
    assert (config.port, config.host, config.start_index, config.auth_keys) == (3000, "0.0.0.0", 7, ("sk-123456",))
    assert (config.settings.blacklist_threshold, config.settings.max_attempts) == (1, 4)
    assert config.settings.max_keys_per_channel == 4
    assert (config.limits.first_byte_timeout, config.settings.first_useful_timeout) == (30, 30)
    assert (config.cors, config.pool_max_idle, config.log_level) == (False, 50, "WARNING")
    assert config.openai_base_urls == ("https://api.openai.com", "https://two.example/v1")
    assert config.doubts == ()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("REQUEST_TIMEOUT", "1000", (1, 1)),
        ("REQUEST_TIMEOUT", "999", (999, 999)),
        ("REQUEST_TIMEOUT", "1500", (1.5, 1.5)),
        ("MAX_RETRIES", "0", (1, 3)),
        ("MAX_RETRIES", "99", (100, 100)),
    ],
)
def test_its_figures_are_turned_into_ours(name: str, value: str, expected: tuple[float, float]) -> None:
    """Milliseconds from 1,000 on; each of its attempts has a key of its own."""
    config = load_config({name: value})
    figures = {
        "REQUEST_TIMEOUT": (config.limits.first_byte_timeout, config.settings.first_useful_timeout),
        "MAX_RETRIES": (config.settings.max_attempts, config.settings.max_keys_per_channel),
    }
    assert figures[name] == expected


def test_what_is_said_by_our_own_name_goes_first() -> None:
    """It is told where both are said and mean something else."""
    config = load_config({"MAX_RETRIES": "9", "MAX_ATTEMPTS": "2", "ENABLE_CORS": "true", "CORS": "true"})
    assert (config.settings.max_attempts, config.settings.max_keys_per_channel) == (2, 10)
    assert config.doubts == ("MAX_RETRIES is passed over, for MAX_ATTEMPTS says something else",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_RETRIES", "100"),
        ("MAX_RETRIES", "many"),
        ("REQUEST_TIMEOUT", "0"),
        ("ENABLE_CORS", "perhaps"),
        ("MAX_SOCKETS", "-1"),
        ("START_INDEX", "-1"),
        ("OPENAI_BASE_URL", "api.openai.com"),
    ],
)
def test_what_cannot_be_stops_the_start_and_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{name}\b"):
        load_config({name: value})


def test_lines_that_are_not_needed_are_told_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a file that somebody brought with him; the environment may hold them for other programs."""
    (tmp_path / ".env").write_text("BUFFER_SIZE=65536\nSERVER_IDLE_TIMEOUT=120\nMAX_CONCURRENT_REQUESTS=100\n")
    monkeypatch.setenv("GATEWAY_ENV_FILE", str(tmp_path / ".env"))
    monkeypatch.setenv("LOG_FILE_PATH", "logs/app.log")
    assert [doubt for doubt in load_config().doubts if "passed over" in doubt] == [
        "MAX_CONCURRENT_REQUESTS is passed over: GLOBAL_MAX_CONCURRENCY limits the calls at once",
        "BUFFER_SIZE, SERVER_IDLE_TIMEOUT: not needed here, and passed over (docs/from_gpt_load.md)",
    ]


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_certificates_are_always_checked(value: str) -> None:
    """Whoever wants it otherwise is told what to do instead."""
    with pytest.raises(ConfigError, match=r"^CCLOAD_ALLOW_INSECURE_TLS: certificates are always checked.*CA_FILE"):
        load_config({"CCLOAD_ALLOW_INSECURE_TLS": value})


def test_a_bad_value_is_complained_of_by_the_name_that_it_has() -> None:
    """Nobody looks for a variable that he has not set; what is secret is not shown."""
    with pytest.raises(ConfigError, match=r"^CCLOAD_COOLDOWN_MAX_SEC='long': "):
        load_config({"CCLOAD_COOLDOWN_MAX_SEC": "long"})
    with pytest.raises(ConfigError, match=r"^CCLOAD_API_TOKENS: ") as refusal:
        load_config({"CCLOAD_API_TOKENS": "my token|mine"})
    assert "my token" not in str(refusal.value)


def test_our_own_name_goes_first_and_the_environment_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where two say something else, the start tells which is passed over, and no value."""
    config = load_config({"CCLOAD_PASS": "theirs", "ADMIN_TOKEN": "ours"})
    assert (config.admin_token, config.admin_token_name) == ("ours", "ADMIN_TOKEN")
    assert config.doubts == ("CCLOAD_PASS is passed over, for ADMIN_TOKEN says something else",)
    assert load_config({"API_TOKENS": "a", "CCLOAD_API_TOKENS": "a|mine"}).doubts == ()
    file = tmp_path / "gateway.env"
    file.write_text("ADMIN_TOKEN=of-the-file\nCCLOAD_MAX_CONCURRENCY=7\n")
    monkeypatch.setenv("GATEWAY_ENV_FILE", str(file))
    monkeypatch.delenv("ADMIN_TOKEN", raising=False)
    monkeypatch.setenv("CCLOAD_PASS", "of-the-environment")
    config = load_config()
    assert (config.admin_token, config.settings.global_max_concurrency) == ("of-the-environment", 7)
    assert token_place(config, {"CCLOAD_PASS": "x"}) == "CCLOAD_PASS in the environment"


@pytest.mark.parametrize("name", PASSED_OVER)
def test_what_is_not_followed_is_told(name: str) -> None:
    """A database's address among it, without its password."""
    [doubt] = load_config({name: "user:secret@tcp(localhost:3306)/ccload"}).doubts
    assert doubt.startswith(f"{name} is passed over: ")
    assert "secret" not in doubt


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_a_slip_in_such_a_name_is_noticed(name: str) -> None:
    """As in one of ours."""
    assert load_config({f"{name}S": "1"}).doubts[-1] == f"{name}S is no setting and is passed over. Is {name} meant?"


def test_no_token_is_written_where_one_has_another_name(tmp_path: Path) -> None:
    """`make run` in a folder with ccLoad's `.env` opens the admin page with its password."""
    file = tmp_path / ".env"
    file.write_text("CCLOAD_PASS=your_admin_password\nPORT=8080\nSQLITE_PATH=./data/ccload.db\n")
    assert not complete(file, {})
    assert "ADMIN_TOKEN" not in file.read_text()
