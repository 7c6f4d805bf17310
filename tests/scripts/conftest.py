from tests.support.own_redis import own_redis, own_server

__all__ = ["own_redis", "own_server"]
