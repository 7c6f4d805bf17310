from tests.support.own_redis import own_redis, own_server, wire

__all__ = ["own_redis", "own_server", "wire"]
