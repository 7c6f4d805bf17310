"""Ids that a provider's answers give, and that only the account knows which gave them.

OpenAI's responses, conversations, files, batches, uploads, fine-tuning jobs, vector stores, videos, containers,
assistants and threads (https://platform.openai.com/docs/api-reference), Anthropic's message batches, files and skills
(https://docs.anthropic.com/en/api). Gemini names its files otherwise, and is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingOf
from typing import Final

import orjson

MEMBERS: Final = frozenset({"conversation", "input_file_id", "previous_response_id", "training_file"})
"""Members at the top of a body that hold one."""
MAX_IDS: Final = 100
"""Of one answer, such as a list of files."""
MAX_ID_BYTES: Final = 256
"""A member with its name and id is shorter, with a blank or two."""

_ID: Final = (
    r"(?:(?:asst|batch|cntr|conv|eval|file|msgbatch|resp|skill|thread|upload|video|vs)_|(?:file|ftjob)-)"
    r"[A-Za-z0-9_-]{4,100}"
)
_SEGMENT = re.compile(rf"/({_ID})(?=/|\Z)")
_WHOLE = re.compile(_ID)
_MEMBER = re.compile(rb'"(?:id|[a-z_]{1,40}_id)"[ \t\r\n]*+:[ \t\r\n]*+"(%b)"' % _ID.encode())
_NOT_STORED = re.compile(rb'"store"[ \t\r\n]*+:[ \t\r\n]*+false')


def asked_ids(path: str, members: MappingOf[str, bytes]) -> list[str]:
    """Those that a request holds. `members` of its body, as JSON texts."""
    found: list[str] = _SEGMENT.findall(path)
    for name, written in members.items():
        value = _loaded(written) if name in MEMBERS else None
        if isinstance(value, dict):
            value = value.get("id")
        if isinstance(value, str) and _WHOLE.fullmatch(value):
            found.append(value)
    return found


def given_ids(text: bytes) -> list[str]:
    """Those that an answer's JSON gives, or a part of it; none where a response says that it was not stored."""
    if _NOT_STORED.search(text):
        return []
    return [id.decode() for id in dict.fromkeys(_MEMBER.findall(text))][:MAX_IDS]


def _loaded(json: bytes) -> object:
    try:
        return orjson.loads(json)
    except orjson.JSONDecodeError:
        return None
