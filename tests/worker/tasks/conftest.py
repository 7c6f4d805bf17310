from tests.support.tasks import channel, house, run

__all__ = ["channel", "house", "run"]
