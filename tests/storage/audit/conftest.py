"""Databases of each kind; those of servers have `pytest.mark.soak`."""

from __future__ import annotations

from tests.support.each_database import database, opened, server_of

__all__ = ["database", "opened", "server_of"]
