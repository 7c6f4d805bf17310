"""Ids in requests and answers that only one account knows."""

from __future__ import annotations

import json

import pytest

from app.wire.given_ids import MAX_IDS, asked_ids, given_ids


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("/v1/responses/resp_68a1b2c3", ["resp_68a1b2c3"]),
        ("/v1/responses/resp_68a1b2c3/input_items", ["resp_68a1b2c3"]),
        ("/v1/files/file-abc123/content", ["file-abc123"]),
        ("/v1/files/file_011CNha8iCJcU1wXNR6q4V8w", ["file_011CNha8iCJcU1wXNR6q4V8w"]),
        ("/v1/batches/batch_abc123/cancel", ["batch_abc123"]),
        ("/v1/messages/batches/msgbatch_013Zva2CMHLNnXjNJJKqJ2EF/results", ["msgbatch_013Zva2CMHLNnXjNJJKqJ2EF"]),
        ("/v1/conversations/conv_abc123/items", ["conv_abc123"]),
        ("/v1/vector_stores/vs_abc123/files/file-abc123", ["vs_abc123", "file-abc123"]),
        ("/v1/fine_tuning/jobs/ftjob-abc123", ["ftjob-abc123"]),
        ("/v1/files", []),
        ("/v1/files/file-abc123%2Fx", []),
        ("/v1/models/file-abc.x", []),
        ("/v1/responses/resp_" + "x" * 200, []),
    ],
)
def test_ids_stand_in_paths(path: str, ids: list[str]) -> None:
    """As whole segments."""
    assert asked_ids(path, {}) == ids


@pytest.mark.parametrize(
    ("members", "ids"),
    [
        ({"previous_response_id": "resp_abc123"}, ["resp_abc123"]),
        ({"previous_response_id": None, "conversation": "conv_abc123"}, ["conv_abc123"]),
        ({"conversation": {"id": "conv_abc123"}}, ["conv_abc123"]),
        ({"input_file_id": "file-abc123"}, ["file-abc123"]),
        ({"previous_response_id": "hello", "conversation": ["conv_abc123"], "metadata": "file-abc123"}, []),
        ({"previous_response_id": "resp_abc123\n"}, []),
    ],
)
def test_ids_stand_in_bodies(members: dict[str, object], ids: list[str]) -> None:
    """Of no other form than providers give."""
    assert asked_ids("/v1/x", {name: json.dumps(value).encode() for name, value in members.items()}) == ids
    assert asked_ids("/v1/x", {"previous_response_id": b"{broken"}) == []


def test_answers_give_ids() -> None:
    """Of what they tell, also of what else belongs to it; each once."""
    batch = {"id": "batch_abc123", "input_file_id": "file-in1234", "output_file_id": "file-out123", "x": "file-other1"}
    assert given_ids(json.dumps(batch).encode()) == ["batch_abc123", "file-in1234", "file-out123"]
    event = (
        b'event: response.created\ndata: {"type":"response.created","response":{"id":"resp_abc123","store":true}}\n\n'
    )
    assert given_ids(event + event) == ["resp_abc123"]
    listed = {"data": [{"id": f"file-{number:06}"} for number in range(3 * MAX_IDS)]}
    assert len(given_ids(json.dumps(listed).encode())) == MAX_IDS


@pytest.mark.parametrize(
    "text",
    [
        b'{"id": "chatcmpl-abc123"}',
        b'{"text": "say \\"id\\": \\"resp_abc123\\""}',
        b'{"id":"resp_abc123","store":false}',
        b'{"id":"resp_abc123', b"", b"\xff\xfe",
    ],
)  # fmt: skip
def test_what_nobody_can_ask_for_again_is_no_id(text: bytes) -> None:
    """Nor is what a model says, nor what was not stored."""
    assert given_ids(text) == []
