from tests.support.budgets import new_budgets
from tests.support.crowd import crowd
from tests.support.keeping import new_process
from tests.support.own_redis import own_redis, own_server, wire

__all__ = ["crowd", "new_budgets", "new_process", "own_redis", "own_server", "wire"]
