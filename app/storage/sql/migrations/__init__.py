"""How the tables came to be what they are: alembic's environment and its steps, in `versions`."""
