from tests.support.crowd import crowd
from tests.support.own_redis import own_redis, own_server, wire

__all__ = ["crowd", "own_redis", "own_server", "wire"]
