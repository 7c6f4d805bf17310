"""alembic runs this for `migrating.bring_up_to_date`, which gives it a connection."""

from __future__ import annotations

from alembic import context

from app.storage.sql.statistics import tables as _statistics  # noqa: F401 its tables, too
from app.storage.sql.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSION_TABLE
)
context.run_migrations()
