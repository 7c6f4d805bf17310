"""What an error of Redis means: whether it is away or refuses, and whether its connections are worth keeping.

Redis names the kind of an error in its first word (https://redis.io/docs/latest/develop/reference/protocol-spec/).
Before version 7 one that befell a script stood inside another: `ERR Error running script (...): -READONLY You ...`.
"""

from __future__ import annotations

import re
from types import MappingProxyType

import redis

REFUSALS = MappingProxyType(
    {
        "OOM": "its memory is full",
        "READONLY": "it is read only, so it is a replica",
        "NOREPLICAS": "it has too few replicas to take changes",
        "MISCONF": "it cannot write to its disk",
        "NOPERM": "our user lacks a permission",
        "NOAUTH": "it wants a password",
        "WRONGPASS": "the user name or the password is wrong",
        "MOVED": "the keys are on another node of its cluster",
        "CROSSSLOT": "it is a cluster, and the keys are on several nodes",
        "WRONGTYPE": "a key of ours holds what another program put there",
    }
)
"""Kinds of errors by which a Redis says no, and what it means by them."""

OVERTAKEN = frozenset(
    {
        *("READONLY", "NOREPLICAS", "UNBLOCKED"),  # a primary that was made a replica, or is cut off from its own
        *("LOADING", "MASTERDOWN"),  # a replica that does not have the data yet, or lost its primary
        *("CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK"),
        *("NOAUTH", "WRONGPASS", "NOPERM"),  # its users were changed; what was logged in may be so no more
    }
)
"""Kinds after which another server may answer at the same address, or the same one once it is asked afresh."""

_LOGIN = frozenset({"NOAUTH", "WRONGPASS"})
_NO_SUCH_DATABASE = "DB index is out of range"
"""Redis names no kind of that error."""

_KIND = re.compile(r"(?:^|error: |: -)([A-Z]{3,})(?= )")
_IN_PIPELINE = re.compile(r"^Command # \d+ \(.*\) of pipeline caused error: ", re.DOTALL)
"""What redis-py puts before the server's word: the command, with what was to be stored."""
_NO_PERMISSION_IN_SCRIPT = "ACL failure in script: "
"""What a script may not do, Redis tells as `ERR`."""
_REFUSED_LOGIN = ("password", "AUTH")  # "ERR invalid password", "ERR Client sent AUTH, but no password is set"


def kind_of(error: BaseException) -> str:
    """Redis's word for the kind of an error, such as `READONLY`; empty when none came from Redis.

    redis-py cuts it off where it knows the kind, and puts words of its own before it in a pipeline.
    """
    if isinstance(error, redis.exceptions.AuthenticationWrongNumberOfArgsError):
        return "WRONGPASS"
    text = str(error)
    if _NO_PERMISSION_IN_SCRIPT in text:
        return "NOPERM"
    kinds: list[str] = [getattr(error, "status_code", None) or "", *_KIND.findall(text)]
    found = next((kind for kind in kinds if kind in REFUSALS or kind in OVERTAKEN), "")
    if not found and isinstance(error, redis.AuthenticationError):
        return "WRONGPASS" if any(word in text for word in _REFUSED_LOGIN) else "NOAUTH"
    return found or kinds[0] or (kinds[1] if len(kinds) > 1 else "")


def refusal_of(error: BaseException) -> str | None:
    """Why a Redis that answers will not do what it was asked; None when it does not answer, or with another error."""
    return REFUSALS.get(kind_of(error))


def is_overtaken(error: BaseException) -> bool:
    """Whether connections to the server that said so should be given up."""
    return kind_of(error) in OVERTAKEN


def is_for_good(error: BaseException) -> bool:
    """Whether waiting does not mend it: our name, our password or the number of the database is wrong."""
    return kind_of(error) in _LOGIN or _NO_SUCH_DATABASE in str(error)


def trouble_of(error: BaseException) -> str:
    """What Redis does instead of what it was asked, to follow its name. For anybody to read: it names no address."""
    if (refusal := refusal_of(error)) is not None:
        return f"refuses: {refusal}"
    return "answers with an error" if _is_answer(error) else "does not answer"


def answer_of(error: BaseException) -> str:
    """`trouble_of` a Redis that answered; empty when it did not."""
    return trouble_of(error) if refusal_of(error) is not None or _is_answer(error) else ""


def describe(error: BaseException) -> str:
    """`trouble_of`, and the server's or the system's own word for it; never what it was asked, which may be secret."""
    word = _IN_PIPELINE.sub("", str(error)) if refusal_of(error) is None else kind_of(error)
    return f"{trouble_of(error)} ({word})"


def _is_answer(error: BaseException) -> bool:
    """Whether Redis said it; redis-py makes connection errors of some, such as `max number of clients reached`."""
    return isinstance(error, redis.ResponseError) or bool(getattr(error, "status_code", None))
