import app.storage  # noqa: F401 - before redis-py: of that it leaves out the half for asyncio
