"""What errors of the drivers mean. Their texts are told, which hold no password, and never a statement's values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.core.statistics.events import VALUE_FAULTS
from app.storage.sql.errors import DatabaseAway, DatabaseMissing
from app.wire.database_url import DatabaseKind, DatabaseUrl

_MISSING: Final = re.compile(r"no such table|doesn't exist|does not exist|UndefinedTable")
_FULL: Final = re.compile(r"is full|No space left|disk full|1114|1021", re.IGNORECASE)
_SLOW: Final = re.compile(r"interrupted|timed out|timeout|time exceeded|maximum statement execution", re.IGNORECASE)
LONGEST: Final = 200


@contextmanager
def translated(url: DatabaseUrl) -> Iterator[None]:
    """Raises DatabaseAway for what is no fault of the statement; DatabaseMissing where SQLite has no file.

    What a statement or its values are to blame for stays as it is.
    """
    try:
        yield
    except (DataError, IntegrityError):
        raise
    except PoolTimeout:
        raise DatabaseAway(f"{url.kind.value} is too busy: no connection came free in time") from None
    except (DBAPIError, OSError) as error:
        if url.kind is DatabaseKind.SQLITE and not Path(url.name).exists():
            raise DatabaseMissing(f"SQLite has no file {url.name}") from None
        word = word_of(error)
        if isinstance(error, ProgrammingError) and not _MISSING.search(word):
            raise
        raise DatabaseAway(f"{url.kind.value} {_verb(error, word)}: {word}") from None


def is_values_fault(error: BaseException) -> bool:
    """Whether other rows would be taken where these are not."""
    return isinstance(error, (DataError, IntegrityError, *VALUE_FAULTS))


def word_of(error: BaseException) -> str:
    """The server's own word, on one line."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    arguments = cause.args
    text = str(arguments[1]) if len(arguments) > 1 and isinstance(arguments[0], int) else str(cause)
    return " ".join(text.split())[:LONGEST]


def _verb(error: BaseException, word: str) -> str:
    if _SLOW.search(word):
        return "takes too long"
    if _FULL.search(word):
        return "has no room left"
    if _MISSING.search(word):
        return "has no tables of ours yet; the worker makes them"
    return "does not do what it is asked"
