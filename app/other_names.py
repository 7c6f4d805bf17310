"""Names that variables have with other gateways: whoever moves over may keep the lines that he has.

What is said by our own name goes first. A value that cannot be is complained of by the name under which it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from app.core.setting_table import SETTINGS
from app.variables import boolean, integer
from app.wire.database_url import url_of_go_address


class OtherName(NamedTuple):
    ours: str
    becomes: Callable[[str], str] = str.strip
    """The value as ours has it. Raises ValueError, which says what would do."""
    also: tuple[OtherName, ...] = ()
    """Others of ours that it says, too."""


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


def _whether(text: str) -> str:
    return str(boolean(text)).lower()


def _attempts(retries: str) -> str:
    return str(integer(0, 99)(retries) + 1)


def _keys(retries: str) -> str:
    """There each attempt has a key of its own, also where there is but one channel."""
    return str(max(int(str(SETTINGS["max_keys_per_channel"].default)), int(_attempts(retries))))


def _seconds(text: str) -> str:
    """Milliseconds with early versions, seconds with later ones; nobody means less than a second."""
    number = integer(1, 86_400_000)(text)
    return f"{number / 1000 if number >= 1000 else number:g}"


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
    "CCLOAD_MYSQL": OtherName("DATABASE_URL", url_of_go_address),
    "ENABLE_CORS": OtherName("CORS", _whether),
    "MAX_SOCKETS": OtherName("POOL_MAX_IDLE"),
    "MAX_RETRIES": OtherName("MAX_ATTEMPTS", _attempts, (OtherName("MAX_KEYS_PER_CHANNEL", _keys),)),
    "REQUEST_TIMEOUT": OtherName("FIRST_BYTE_TIMEOUT", _seconds, (OtherName("FIRST_USEFUL_TIMEOUT", _seconds),)),
    "CCLOAD_ALLOW_INSECURE_TLS": OtherName("", _certificates_are_checked),
}

PASSED_OVER: Final[Mapping[str, str]] = {
    "TRUSTED_PROXIES": "TRUSTED_PROXY_COUNT says how many reverse proxies stand in front",
    "MAX_CONCURRENT_REQUESTS": "GLOBAL_MAX_CONCURRENCY limits the calls at once",
    "GIN_LOG": "the setting log_requests (LOG_REQUESTS) says whether each request has its line",
}
"""What we know and do not follow, and why."""

NEEDLESS: Final = frozenset(
    """
    ALLOW_CREDENTIALS ALLOWED_HEADERS ALLOWED_METHODS ALLOWED_ORIGINS BUFFER_SIZE DISABLE_COMPRESSION ENABLE_GZIP
    ENABLE_KEEP_ALIVE IDLE_CONN_TIMEOUT LOG_ENABLE_FILE LOG_ENABLE_REQUEST LOG_FILE_PATH MAX_FREE_SOCKETS
    RESPONSE_TIMEOUT SERVER_GRACEFUL_SHUTDOWN_TIMEOUT SERVER_IDLE_TIMEOUT SERVER_READ_TIMEOUT SERVER_WRITE_TIMEOUT
    STREAM_BUFFER_SIZE STREAM_HEADER_TIMEOUT
    """.split()
)
"""Lines of GPT-Load's `.env` for which there is no need here."""


class CannotBe(ValueError):
    """A value by another name that means nothing here. `name` is that of its variable."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


def _take(found: Renamed, name: str, other: OtherName, text: str) -> None:
    ours = other.ours
    try:
        value = other.becomes(text)
    except ValueError as error:
        raise CannotBe(name, str(error)) from None
    if ours and ours not in found.values:
        found.values[ours], found.spelled[ours] = value, name
    elif ours and ours == OTHER_NAMES[name].ours and found.values[ours] != value:
        found.doubts.append(f"{name} is passed over, for {found.spelled.get(ours, ours)} says something else")


def by_our_names(values: Mapping[str, str]) -> Renamed:
    """Raises CannotBe."""
    found = Renamed({name: value for name, value in values.items() if name not in OTHER_NAMES}, {}, [])
    for name, other in OTHER_NAMES.items():
        if name not in values:
            continue
        for one in (other, *other.also):
            _take(found, name, one, values[name])
    for name, why in PASSED_OVER.items():
        if name in values:
            found.doubts.append(f"{name} is passed over: {why}")
    return found
