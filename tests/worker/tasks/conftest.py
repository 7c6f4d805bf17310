from tests.support.tasks import channel, house, run
from tests.support.tried_keys import keyed, trying

__all__ = ["channel", "house", "keyed", "run", "trying"]
