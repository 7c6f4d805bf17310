from app.storage.without_asyncio import put_off_asyncio

put_off_asyncio()
