from tests.support.own_redis import own_redis, own_server
from tests.support.world import whole_world, world

__all__ = ["own_redis", "own_server", "whole_world", "world"]
