"""What may be wrong with the SQL database, for whoever asks it. No text of these holds a password."""

from __future__ import annotations


class DatabaseError(Exception):
    """The text is a sentence without its full stop."""


class DatabaseAway(DatabaseError):
    """It does not answer, is too slow, or refuses; or the worker has not prepared it yet."""


class DatabaseMissing(DatabaseAway):
    """SQLite's file is not there. The worker makes it, as soon as it can."""


class DatabaseElsewhere(DatabaseError):
    """What this process can open is not what the worker writes."""


class DatabaseNewer(DatabaseError):
    """A newer version of the gateway has changed its tables."""
