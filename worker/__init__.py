import app.storage  # noqa: F401 - before redis-py, whose half for asyncio it puts off
