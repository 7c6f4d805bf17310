"""Bodies of calls in Redis, each until its time is over, all together within a bound: the oldest go first."""

from __future__ import annotations

import base64
import zlib
from typing import Any, Final

import orjson

from app.storage.connections import LOG_BODIES, LOG_BODIES_BYTES, LOG_BODIES_INDEX, Redis
from app.storage.secrets import CannotOpen, Secrets

MOST_BYTES: Final = 32 * 1024 * 1024
"""Of all that is kept, as Redis holds it."""

_PUT: Final = """
local total = redis.call('INCRBY', KEYS[3], #ARGV[2])
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('RPUSH', KEYS[2], ARGV[1] .. ' ' .. #ARGV[2] .. ' ' .. ARGV[5])
while true do
  local first = redis.call('LINDEX', KEYS[2], 0)
  if not first then
    redis.call('SET', KEYS[3], 0)
    break
  end
  local id, size, until_ms = string.match(first, '^(.+) (%d+) (%d+)$')
  if total <= tonumber(ARGV[6]) and tonumber(until_ms) > tonumber(ARGV[4]) then
    break
  end
  redis.call('LPOP', KEYS[2])
  redis.call('DEL', ARGV[7] .. id)
  total = redis.call('DECRBY', KEYS[3], size)
end
"""


class StoredBodies:
    """Each method raises redis.RedisError."""

    def __init__(self, redis_client: Redis, secrets: Secrets) -> None:
        self._redis: Any = redis_client
        self._secrets = secrets
        self._put = self._redis.register_script(_PUT)

    def put(self, request_id: str, told: dict[str, Any], now_ms: int, kept_ms: int) -> None:
        """Keeps what is told of a call's bodies for so long at most."""
        packed = base64.b64encode(zlib.compress(orjson.dumps(told), 1)).decode()
        sealed = self._secrets.seal(packed, request_id)
        keys = [LOG_BODIES + request_id, LOG_BODIES_INDEX, LOG_BODIES_BYTES]
        self._put(keys, [request_id, sealed, kept_ms, now_ms, now_ms + kept_ms, MOST_BYTES, LOG_BODIES])

    def get(self, request_id: str) -> dict[str, Any] | None:
        """None where nothing is kept, or no key of ours opens it any more."""
        sealed = self._redis.get(LOG_BODIES + request_id)
        if sealed is None:
            return None
        try:
            packed = self._secrets.open(sealed.decode(), request_id)
            told: dict[str, Any] = orjson.loads(zlib.decompress(base64.b64decode(packed)))
        except (CannotOpen, ValueError, zlib.error):
            return None
        return told
