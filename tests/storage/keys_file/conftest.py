from tests.support.keys_file import new_machine

__all__ = ["new_machine"]
