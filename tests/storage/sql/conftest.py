"""Databases of each kind; those of servers have `pytest.mark.soak`."""

from __future__ import annotations

from tests.support.each_database import database, file_database, opened, server_of

__all__ = ["database", "file_database", "opened", "server_of"]
