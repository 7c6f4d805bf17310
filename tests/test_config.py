"""What the environment may say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.config import ROOT, ConfigError, load_config


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for `.env`; of our variables none is in the environment."""
    file = tmp_path / "gateway.env"
    file.touch()
    for name in ("HOST", "PORT", "ADMIN_TOKEN", "REDIS_URL", "API_PROXY_REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GATEWAY_ENV_FILE", str(file))
    return file


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("EGRESS_ALLOW", "10.0.0.0/33", "'10.0.0.0/33' is not a CIDR"),
        ("EGRESS_ALLOW", "good.example,bad example", "'bad example' is no host name"),
        ("EGRESS_DENY", "*", "'\\*' has a \\*"),
        ("EGRESS_DENY", "evil.example:0", "'0' is no port"),
        ("EGRESS_PORTS", "80-http", "'80-http' is no port"),
    ],
)
def test_a_bad_egress_entry_stops_the_start(name: str, value: str, says: str) -> None:
    """An entry that cannot be understood is a ConfigError that names its variable and shows the entry."""
    with pytest.raises(ConfigError, match=f"^{name}=.*{says}"):
        load_config({name: value})


@pytest.mark.parametrize("name", ["ENABLE_STATS", "CORS", "REDIS_TLS_VERIFY", "START_TRACE"])
def test_a_yes_or_no_has_many_spellings(name: str) -> None:
    """All booleans read alike, in any case; a word that is none of them stops the start."""
    for yes, no in (("1", "0"), ("true", "false"), ("Yes", "no"), ("ON", "Off")):
        assert getattr(load_config({name: yes}), name.lower()) is True
        assert getattr(load_config({name: no}), name.lower()) is False
    with pytest.raises(ConfigError, match=f"^{name}='maybe': say true or false"):
        load_config({name: "maybe"})


@pytest.mark.parametrize("value", ["", "  ", "''", '""', "' '"])
def test_what_is_empty_is_not_said(value: str) -> None:
    """An empty value, or blanks, or quotes around nothing leave the default."""
    config = load_config({"PORT": value, "ADMIN_TOKEN": value, "HOST": value, "ENABLE_STATS": value})
    assert (config.port, config.admin_token, config.host, config.enable_stats) == (8000, None, "127.0.0.1", True)


def test_blanks_and_quotes_around_a_value_are_not_part_of_it() -> None:
    """`docker run --env-file` leaves quotes where they stood, and shells blanks; those within stay."""
    config = load_config({"PORT": " '9000' ", "ADMIN_TOKEN": '"it\'s "mine""\t', "HOST": "0.0.0.0 "})
    assert load_config({"ADMIN_TOKEN": "a'b'c"}).admin_token == "a'b'c"
    assert (config.port, config.admin_token, config.host) == (9000, 'it\'s "mine"', "0.0.0.0")


@pytest.mark.parametrize(
    ("host", "taken"), [("[::1]", "::1"), ("::", "::"), ("127.0.0.1", "127.0.0.1"), ("box", "box")]
)
def test_a_host_is_an_address_or_a_name(host: str, taken: str) -> None:
    """IPv6 may stand in brackets."""
    assert load_config({"HOST": host}).host == taken


@pytest.mark.parametrize("host", ["*", "http://127.0.0.1", "127.0.0.1:8000", "[box]", "two words"])
def test_what_is_no_host_stops_the_start(host: str) -> None:
    """It is named, with what would do."""
    with pytest.raises(ConfigError, match=r"^HOST=.* must be an address or a name, such as 127\.0\.0\.1"):
        load_config({"HOST": host})


@pytest.mark.parametrize("host", ["x86_64-conda-linux-gnu", "x86_64-conda_cos6-linux-gnu", "arm64-apple-darwin20.0.0"])
def test_conda_s_name_of_a_platform_is_no_host(env_file: Path, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """conda's compilers set HOST. That is passed over and said; what `.env` says of HOST holds."""
    monkeypatch.setenv("HOST", host)
    config = load_config()
    assert config.host == "127.0.0.1"
    assert config.doubts[0].startswith(f"HOST={host} is passed over")
    env_file.write_text("HOST=0.0.0.0\n")
    assert load_config().host == "0.0.0.0"


def test_a_name_that_is_nearly_ours_is_doubted(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In `.env` and in the environment, with the name that is meant; other programs' names are nobody's business."""
    env_file.write_text("EGRES_ALLOW=10.0.0.0/8\nport=9\nREDIS_PASSWORD=x\nOPENAI_API_KEY=y\nPUBLISH=1\nPORT=9000\n")
    monkeypatch.setenv("WEB_CONCURENCY", "2")
    monkeypatch.setenv("HOSTNAME", "box")
    assert load_config().doubts == (
        "EGRES_ALLOW is no setting and is passed over. Is EGRESS_ALLOW meant?",
        "port is no setting and is passed over. Is PORT meant?",
        "WEB_CONCURENCY is no setting and is passed over. Is WEB_CONCURRENCY meant?",
    )


@pytest.mark.parametrize("redis_url", ["", "redis://127.0.0.1:1"], ids=["nothing", "the embedded one"])
def test_a_name_that_is_nearly_that_of_redis_is_doubted(
    env_file: Path, monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> None:
    """Also by the processes of `python -m app`, which are told of its embedded Redis and ask for no other."""
    monkeypatch.setenv("API_PROXY_REDIS_URL", redis_url)
    env_file.write_text("REDIS_ULR=redis://10.0.0.1\n")
    assert load_config().doubts == ("REDIS_ULR is no setting and is passed over. Is REDIS_URL meant?",)


def test_names_of_ours_and_of_a_usual_shell_are_not_doubted(env_file: Path) -> None:
    """Neither any of .env.example's, nor what stands in the environment of these tests."""
    example = (Path(__file__).resolve().parent.parent / ".env.example").read_text()
    names = re.findall(r"^#([A-Z_]+)=", example, re.MULTILINE)
    env_file.write_text("".join(f"{name}=\n" for name in names))
    assert load_config().doubts == ()


def test_a_file_of_windows_notepad_is_read(env_file: Path) -> None:
    """The mark at its beginning is no part of the first name, nor a line's end of its value."""
    env_file.write_bytes(b"\xef\xbb\xbfPORT=9000\r\nADMIN_TOKEN=mine\r\n")
    config = load_config()
    assert (config.port, config.admin_token, config.doubts) == (9000, "mine", ())


def test_a_file_that_is_no_text_is_named(env_file: Path) -> None:
    """What PowerShell's `>` writes is UTF-16: the start says so, without a traceback."""
    env_file.write_bytes("PORT=9000\n".encode("utf-16"))
    with pytest.raises(ConfigError, match=r"gateway\.env is not UTF-8 text"):
        load_config()


def test_egress_is_public_only_unless_said_otherwise() -> None:
    """Without the variables nothing but public addresses and usual ports is allowed, and nothing denied."""
    config = load_config({})
    assert (config.egress_allow, config.egress_deny, config.egress_ports) == ((), (), ())


def test_another_env_file_may_be_named(env_file: Path) -> None:
    """GATEWAY_ENV_FILE takes the place of the project's `.env`, and a file that is not there stops the start."""
    env_file.write_text("PORT=9000\n")
    assert load_config().port == 9000
    env_file.unlink()
    with pytest.raises(ConfigError, match=r"^GATEWAY_ENV_FILE: there is no .*gateway\.env"):
        load_config()


@pytest.mark.parametrize(("filed", "given"), [("https_proxy", "HTTPS_PROXY"), ("HTTPS_PROXY", "https_proxy")])
def test_a_proxy_of_the_environment_goes_first_in_either_case(
    env_file: Path, monkeypatch: pytest.MonkeyPatch, filed: str, given: str
) -> None:
    """As all that the environment says; what it does not say the file does."""
    env_file.write_text(f"{filed}=http://file.test:1\nno_proxy=x.example\n")
    assert str(load_config().forward_proxies.https) == "http://file.test:1"
    monkeypatch.setenv(given, "http://environment.test:2")
    proxies = load_config().forward_proxies
    assert str(proxies.https) == "http://environment.test:2"
    assert proxies.way_to("https", "x.example", 443) is None


@pytest.mark.parametrize(
    ("filed", "given", "taken"),
    [
        ("", {}, "open"),
        ("HOST=localhost", {}, "open"),
        ("", {"HOST": "[::1]"}, "open"),
        ("HOST=0.0.0.0", {}, "token"),
        ("", {"HOST": "0.0.0.0"}, "token"),
        ("", {"HOST": "::"}, "token"),
        ("", {"TRUSTED_PROXY_COUNT": "1"}, "token"),
        ("HOST=127.0.0.1\nTRUSTED_PROXY_COUNT=2", {}, "token"),
        ("", {"SPACE_ID": "me/mine"}, "token"),
        ("", {"SPACE_ID": "me/mine", "TRUSTED_PROXY_COUNT": "0"}, "open"),
        ("HOST=0.0.0.0", {"WEB_PROXY": "open"}, "open"),
    ],
)
def test_an_open_web_proxy_in_a_file_counts_on_loopback_only(
    env_file: Path, monkeypatch: pytest.MonkeyPatch, filed: str, given: dict[str, str], taken: str
) -> None:
    """And where no reverse proxy lets others in; elsewhere the environment itself must say it. The start says so."""
    monkeypatch.delenv("WEB_PROXY", raising=False)
    env_file.write_text(f"WEB_PROXY=open\n{filed}\n")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    config = load_config()
    assert config.web_proxy == taken
    assert any("WEB_PROXY=open of the file is not followed" in doubt for doubt in config.doubts) == (taken == "token")


def test_the_time_zone_is_that_of_tz_where_it_names_one() -> None:
    """`TIME_ZONE` goes first and must be one; `TZ` may say what only others understand: then UTC."""
    for variables, zone in (
        ({}, "UTC"),
        ({"TZ": "Asia/Shanghai"}, "Asia/Shanghai"),
        ({"TZ": ":Europe/Berlin"}, "Europe/Berlin"),
        ({"TZ": "CET-1CEST,M3.5.0,M10.5.0/3"}, "UTC"),
        ({"TZ": ":"}, "UTC"),
        ({"TZ": "Asia/Shanghai", "TIME_ZONE": "Europe/Berlin"}, "Europe/Berlin"),
    ):
        assert load_config(variables).settings.time_zone == zone
    with pytest.raises(ConfigError, match="Europe/Berlin"):
        load_config({"TIME_ZONE": "Mars/Base"})


def test_channels_are_open_to_this_machine_alone(env_file: Path) -> None:
    """Whoever would open them to others learns at the start what to do instead."""
    assert load_config({"ANONYMOUS_CHANNELS": "true"}).settings.anonymous_channels
    for host in ("0.0.0.0", "::", "192.0.2.1", "gateway.example"):
        with pytest.raises(ConfigError, match=r"ANONYMOUS_CHANNELS: .*AUTH_KEY"):
            load_config({"ANONYMOUS_CHANNELS": "true", "HOST": host})
    with pytest.raises(ConfigError, match=r"ANONYMOUS_CHANNELS: .*reverse proxy.*AUTH_KEY"):
        load_config({"ANONYMOUS_CHANNELS": "true", "TRUSTED_PROXY_COUNT": "1"})


@pytest.mark.parametrize(
    ("said", "keys"),
    [
        ("one key, another", ("one key", "another")),
        ("a,a", ("a",)),
        ("off,old", ("", "old")),
        ("Off , old,older", ("", "old", "older")),
        ("off", ()),
    ],
)
def test_the_first_encryption_key_encrypts_unless_it_is_off(said: str, keys: tuple[str, ...]) -> None:
    config = load_config({"ENCRYPTION_KEY": said})
    assert config.encryption_keys == keys
    assert "another" not in repr(config)


@pytest.mark.parametrize("said", [",a", "a,", "a,,b", ",", "a,off", "off,a,off"])
def test_what_is_no_list_of_encryption_keys_stops_the_start_and_is_not_shown(said: str) -> None:
    with pytest.raises(ConfigError, match=r"^ENCRYPTION_KEY: "):
        load_config({"ENCRYPTION_KEY": said})


def test_an_encryption_key_that_may_be_guessed_is_doubted(env_file: Path) -> None:
    for said, is_doubted in (("short", True), ("off,short", False), ("a long one that nobody guesses", False)):
        env_file.write_text(f"ENCRYPTION_KEY={said}\n")
        assert any("ENCRYPTION_KEY" in doubt for doubt in load_config().doubts) == is_doubted


def test_access_tokens_are_a_list_and_are_told_nowhere() -> None:
    """Commas and blanks stand between them. What no client can send stops the start, without being shown."""
    config = load_config({"AUTH_KEY": " key-1,key-2 ,, key-1"})
    assert config.auth_keys == ("key-1", "key-2")
    assert "key-1" not in repr(config)
    with pytest.raises(ConfigError, match=r"^AUTH_KEY: its entries") as refused:
        load_config({"AUTH_KEY": "geheim-schlüssel"})
    assert "geheim" not in str(refused.value)


def test_the_database_is_a_file_unless_a_url_names_another() -> None:
    """Below DATA_DIR, or where SQLITE_PATH says; a relative path counts from the project's directory."""
    mysql = {"DATABASE_URL": "mysql://u:p@db/gw"}
    files = [{}, {"DATA_DIR": "/var/gw"}, {"SQLITE_PATH": "x.db"}, {"DATABASE_URL": "sqlite:///y.db"}, mysql]
    places = [load_config(said | {"SQLITE_JOURNAL_MODE": "truncate"}).database for said in files]
    names = [str(ROOT / "data" / "gateway.db"), "/var/gw/gateway.db", str(ROOT / "x.db"), str(ROOT / "y.db"), "gw"]
    assert [place.name for place in places] == names
    assert {place.journal_mode for place in places[:-1]} == {"TRUNCATE"}


@pytest.mark.parametrize("name", ["DATABASE_URL", "CCLOAD_MYSQL"])
def test_a_database_that_cannot_be_stops_the_start_and_its_password_is_not_shown(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: ") as refusal:
        load_config({name: "mysql://u:secret@db"})
    assert "secret" not in str(refusal.value)
