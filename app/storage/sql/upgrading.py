"""The migrations, by alembic, for a database that an older version made."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from app.storage.sql.errors import DatabaseNewer
from app.storage.sql.migrations import __path__ as _places


def upgrade(connection: Connection, before: str | None) -> None:
    """From the version that is there to the newest. Raises DatabaseNewer."""
    config = Config()
    config.set_main_option("script_location", str(Path(next(iter(_places)))).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    if before is not None and before not in known:
        raise DatabaseNewer(
            f"a newer version of the gateway has changed the database's tables ({before}; this one knows {known[0]}): "
            "run that version, or name another database in DATABASE_URL"
        )
    command.upgrade(config, "head")
