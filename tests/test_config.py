"""What the environment may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config import ConfigError, load_config


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


def test_egress_is_public_only_unless_said_otherwise() -> None:
    """Without the variables nothing but public addresses and usual ports is allowed, and nothing denied."""
    config = load_config({})
    assert (config.egress_allow, config.egress_deny, config.egress_ports) == ((), (), ())


def test_another_env_file_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GATEWAY_ENV_FILE takes the place of the project's `.env`, and a file that is not there stops the start."""
    file = tmp_path / "gateway.env"
    file.write_text("PORT=9000\n")
    monkeypatch.delenv("PORT", raising=False)
    monkeypatch.setenv("GATEWAY_ENV_FILE", str(file))
    assert load_config().port == 9000
    file.unlink()
    with pytest.raises(ConfigError, match=r"^GATEWAY_ENV_FILE: there is no .*gateway\.env"):
        load_config()
