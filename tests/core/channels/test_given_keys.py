"""Keys as operators have them: in texts, in JSON, in tables."""

from __future__ import annotations

import pytest

from app.core.channels.given_keys import keys_in_file, keys_in_json
from app.core.channels.keys import InvalidKey


@pytest.mark.parametrize(
    "data",
    [
        b"sk-1\nsk-2\nsk-3",
        b"\xef\xbb\xbfsk-1\r\nsk-2\r\n\r\nsk-3\r\n",
        b"sk-1, sk-2;sk-3\t",
        b'["sk-1", "sk-2",\n "sk-3"]',
        b"key\nsk-1\nsk-2\nsk-3\n",
        b'note,API_Key,added\r\n"one, two",sk-1,2024\r\n,sk-2,\r\nx,"sk-3",\r\nshort\r\n',
        "名称;密钥\n一;sk-1\n二;sk-2\n三;sk-3".encode(),
    ],
)
def test_keys_are_found_in_any_file(data: bytes) -> None:
    assert keys_in_file(data) == ["sk-1", "sk-2", "sk-3"]


@pytest.mark.parametrize(
    "value", [b'"sk-1\\nsk-2\\u000ask-3"', b'["sk-1", "sk-2", "sk-3"]', b'"[\\"sk-1\\",\\"sk-2\\",\\"sk-3\\"]"']
)
def test_keys_are_found_in_a_value_of_json(value: bytes) -> None:
    assert keys_in_json(value, "text") == ["sk-1", "sk-2", "sk-3"]


@pytest.mark.parametrize("data", [b"sk-1\nsk-\xff", "sk-1\nsk-…".encode(), b"key,note\nsk-1,\nsk 2,", b'["sk-1", 2]'])
def test_what_cannot_be_a_key_is_told_and_not_shown(data: bytes) -> None:
    with pytest.raises(InvalidKey) as told:
        keys_in_file(data)
    assert "sk-" not in str(told.value)


def test_a_column_without_keys_holds_none() -> None:
    assert keys_in_file(b"name,key\none,\n") == []
