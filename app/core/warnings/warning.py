"""What a person should act upon: which warnings there are, how bad each is, and where it is mended.

Pages have a word of their own for each code. What a warning is about stands in its message behind the first colon.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final, NamedTuple

NAMED: Final = 5
"""Of many things so many are named, and the rest counted."""
LONGEST_NAME: Final = 80


class Severity(Enum):
    ERROR = "error"
    """Calls fail, or what happens is lost."""
    WARNING = "warning"
    """It will fail, or is open to others."""
    INFO = "info"
    """It could be better."""


class GatewayWarning(NamedTuple):
    """As it is told."""

    code: str
    message: str
    severity: Severity
    link: str
    """A view of the admin page (`#/channels`) or a chapter of the documents (`docs/operations.md#tasks`)."""


class Kind(NamedTuple):
    severity: Severity
    sentence: str
    """Without a colon."""
    link: str


_OPERATIONS: Final = "docs/operations.md"

KINDS: Final = {
    "redis_refuses": Kind(Severity.ERROR, "Redis does not do what it is asked", f"{_OPERATIONS}#a-redis-of-your-own"),
    "catalog_in_doubt": Kind(Severity.ERROR, "What was said may be lost; reload the mappings to keep it", "#/mappings"),
    "copy_behind": Kind(
        Severity.ERROR, "The copy in the database does not follow", f"{_OPERATIONS}#the-copy-in-the-database"
    ),
    "worker_silent": Kind(
        Severity.ERROR, "The worker does not run, so statistics and tasks wait; start it", f"{_OPERATIONS}#starting"
    ),
    "database_away": Kind(
        Severity.ERROR,
        "The SQL database cannot be written, so the request log and its statistics wait",
        f"{_OPERATIONS}#the-request-log",
    ),
    "log_rows_dropped": Kind(
        Severity.ERROR,
        "Rows of the request log found no room to wait in the last day and are lost",
        f"{_OPERATIONS}#the-request-log",
    ),
    "keys_unreadable": Kind(
        Severity.ERROR,
        "ENCRYPTION_KEY does not open keys of these channels; put theirs behind a comma",
        f"{_OPERATIONS}#encryption-of-keys",
    ),
    "channels_without_usable_keys": Kind(
        Severity.ERROR, "No key of these channels may be used; restore, enable or add some", "#/channels"
    ),
    "models_unserved": Kind(Severity.ERROR, "No channel can serve these models at the moment", "#/channels"),
    "settings_rejected": Kind(Severity.ERROR, "These settings make no sense and do not hold", "#/settings"),
    "mappings_rejected": Kind(Severity.ERROR, "These mappings make no sense and are left out", "#/mappings"),
    "channels_rejected": Kind(Severity.ERROR, "These channels make no sense and are left out", "#/channels"),
    "outcome_rules_rejected": Kind(Severity.ERROR, "The rules of outcomes make no sense and do not hold", "#/channels"),
    "access_tokens_rejected": Kind(Severity.ERROR, "These access tokens make no sense and open nothing", "#/tokens"),
    "prices_rejected": Kind(Severity.ERROR, "Your prices make no sense; the built-in ones count", "#/prices"),
    "channels_without_keys": Kind(Severity.WARNING, "These channels have no key, so nobody asks them", "#/channels"),
    "keys_file_not_taken": Kind(
        Severity.WARNING, "The keys file does not count as it stands", "docs/from_gpt_load.md#the-file"
    ),
    "no_access_token": Kind(
        Severity.WARNING, "There are channels and no access token, so nobody may call them; make one", "#/tokens"
    ),
    "tokens_expiring": Kind(Severity.WARNING, "These access tokens expire within a week", "#/tokens"),
    "tokens_spent": Kind(Severity.WARNING, "These access tokens have spent a budget, or nearly", "#/tokens"),
    "prices_missing": Kind(
        Severity.WARNING, "The built-in prices are not there yet; the worker stores them when it starts", "#/prices"
    ),
    "models_unpriced": Kind(Severity.WARNING, "Budgets cannot count these models, which have no price", "#/prices"),
    "tasks_failed": Kind(Severity.WARNING, "These tasks failed lately", "#/tasks"),
    "keys_plain": Kind(
        Severity.WARNING,
        "Keys are stored plain; set ENCRYPTION_KEY, restart, and run python scripts/encrypt_keys.py",
        f"{_OPERATIONS}#encryption-of-keys",
    ),
    "keys_out_of_line": Kind(
        Severity.WARNING,
        "Keys are not stored as ENCRYPTION_KEY says; run python scripts/encrypt_keys.py",
        f"{_OPERATIONS}#encryption-of-keys",
    ),
    "web_proxy_open": Kind(
        Severity.WARNING, "WEB_PROXY=open lets anybody see web pages through this gateway", "docs/web_pages.md#who-may"
    ),
    "web_proxy_opens_network": Kind(
        Severity.WARNING,
        "WEB_PROXY=open lets any page in a browser read what EGRESS_ALLOW opens",
        "docs/web_pages.md#what-it-may-reach",
    ),
    "egress_opens_all": Kind(
        Severity.WARNING,
        "EGRESS_ALLOW opens every address, that of the cloud's secrets, too",
        "docs/web_pages.md#what-it-may-reach",
    ),
    "secret_short": Kind(
        Severity.WARNING, "These are so short that they may be guessed", f"{_OPERATIONS}#the-admin-api"
    ),
    "startup_doubt": Kind(
        Severity.WARNING, "Something in the environment is in doubt or passed over", f"{_OPERATIONS}#starting"
    ),
    "not_compiled": Kind(
        Severity.INFO, "Calls are interpreted; compiled they cost less", f"{_OPERATIONS}#compiling-the-hot-path"
    ),
}
"""By code, the worst first; in this order they are told."""


def warning(code: str, about: str = "", link: str = "") -> GatewayWarning:
    """`link`: a better one than that of its kind."""
    severity, sentence, usual = KINDS[code]
    return GatewayWarning(code, f"{sentence}: {about}" if about else sentence, severity, link or usual)


def listed(names: Iterable[str]) -> str:
    """The first of them, and how many more there are."""
    all_names = list(names)
    shown = [name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…" for name in all_names[:NAMED]]
    more = [f"+{len(all_names) - NAMED:,}"] if len(all_names) > NAMED else []
    return ", ".join(shown + more)


def told(found: Iterable[GatewayWarning]) -> list[GatewayWarning]:
    """In the order in which they are told."""
    places = {code: place for place, code in enumerate(KINDS)}
    return sorted(found, key=lambda one: places[one.code])
