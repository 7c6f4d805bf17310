"""Names that variables have with other gateways: whoever moves over may keep the lines that he has.

What is said by our own name goes first. A value that cannot be is complained of by the name under which it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple


class OtherName(NamedTuple):
    ours: str
    becomes: Callable[[str], str] = str.strip
    """The value as ours has it. Raises ValueError, which says what would do."""


class Renamed(NamedTuple):
    values: dict[str, str]
    """By our names; names of nobody stay as they are."""
    spelled: dict[str, str]
    """Of ours that were said by another name: that name."""
    doubts: list[str]


def _without_descriptions(text: str) -> str:
    """ccLoad: `token|what for, token|what for`."""
    return ",".join(one.partition("|")[0].strip() for one in text.split(","))


def _certificates_are_checked(text: str) -> str:
    if text.strip().lower() in ("0", "false", "no", "off"):
        return ""
    advice = "put the certificate of the upstream's authority into a file (PEM) and name that in CA_FILE"
    raise ValueError(f"certificates are always checked; leave it out, {advice}")


OTHER_NAMES: Final[Mapping[str, OtherName]] = {
    "CCLOAD_PASS": OtherName("ADMIN_TOKEN"),
    "CCLOAD_API_TOKENS": OtherName("AUTH_KEY", _without_descriptions),
    "API_TOKENS": OtherName("AUTH_KEY", _without_descriptions),
    "CCLOAD_MAX_BODY_BYTES": OtherName("MAX_BODY_BYTES"),
    "CCLOAD_MAX_CONCURRENCY": OtherName("GLOBAL_MAX_CONCURRENCY"),
    "CCLOAD_COOLDOWN_AUTH_SEC": OtherName("COOLDOWN_AUTH_S"),
    "CCLOAD_COOLDOWN_SERVER_SEC": OtherName("COOLDOWN_SERVER_S"),
    "CCLOAD_COOLDOWN_TIMEOUT_SEC": OtherName("COOLDOWN_TIMEOUT_S"),
    "CCLOAD_COOLDOWN_RATE_LIMIT_SEC": OtherName("COOLDOWN_RATE_LIMIT_S"),
    "CCLOAD_COOLDOWN_MIN_SEC": OtherName("COOLDOWN_MIN_S"),
    "CCLOAD_COOLDOWN_MAX_SEC": OtherName("COOLDOWN_MAX_S"),
    "CCLOAD_ALLOW_INSECURE_TLS": OtherName("", _certificates_are_checked),
}

_NO_SQL = "this version keeps all in Redis and opens no other database"
PASSED_OVER: Final[Mapping[str, str]] = {
    "DATABASE_URL": _NO_SQL,
    "CCLOAD_MYSQL": _NO_SQL,
    "SQLITE_PATH": _NO_SQL,
    "SQLITE_JOURNAL_MODE": _NO_SQL,
    "TRUSTED_PROXIES": "TRUSTED_PROXY_COUNT says how many reverse proxies stand in front",
    "GIN_LOG": "the setting log_requests (LOG_REQUESTS) says whether each request has its line",
}
"""What we know and do not follow, and why."""


class CannotBe(ValueError):
    """A value by another name that means nothing here. `name` is that of its variable."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


def by_our_names(values: Mapping[str, str]) -> Renamed:
    """Raises CannotBe."""
    found = Renamed({name: value for name, value in values.items() if name not in OTHER_NAMES}, {}, [])
    for name, (ours, becomes) in OTHER_NAMES.items():
        if name not in values:
            continue
        try:
            value = becomes(values[name])
        except ValueError as error:
            raise CannotBe(name, str(error)) from None
        if not ours:
            continue
        if ours not in found.values:
            found.values[ours], found.spelled[ours] = value, name
        elif found.values[ours] != value:
            found.doubts.append(f"{name} is passed over, for {found.spelled.get(ours, ours)} says something else")
    for name, why in PASSED_OVER.items():
        if name in values:
            found.doubts.append(f"{name} is passed over: {why}")
    return found
