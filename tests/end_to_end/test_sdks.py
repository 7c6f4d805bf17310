"""The official SDKs, unmodified, through the gateway: the product's main job.

Tests import what they call: it takes seconds, and each process of the tests imports all modules.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest

from tests.support.gateway import GatewayProcess
from tests.support.upstream import Peer, Upstream

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::pydantic.warnings.PydanticDeprecatedSince20"
)


def events(peer: Peer, pieces: list[str]) -> None:
    peer.begin_stream()
    for piece in pieces:
        peer.send_chunk(piece.encode())
    peer.end_stream()


def openai_chunk(text: str | None, finish: str | None = None) -> str:
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x", "choices": [choice]}
    return f"data: {json.dumps(chunk)}\n\n"


def answer(peer: Peer) -> None:
    """Speaks as much of the three dialects as the tests ask for."""
    while (seen := peer.read_request()) is not None:
        body = json.loads(seen.body or b"{}")
        if seen.target.endswith("/chat/completions"):
            if body.get("stream"):
                events(peer, [openai_chunk("Hel"), openai_chunk("lo"), openai_chunk(None, "stop"), "data: [DONE]\n\n"])
            else:
                message = {"role": "assistant", "content": "Hello"}
                choice = {"index": 0, "message": message, "finish_reason": "stop"}
                told = {"id": "c1", "object": "chat.completion", "created": 1, "model": "gpt-x", "choices": [choice]}
                peer.answer(json.dumps(told).encode())
        elif seen.target.startswith("/v1/messages"):
            anthropic_events(peer)
        elif "streamGenerateContent" in seen.target:
            pieces = [
                {"candidates": [{"content": {"parts": [{"text": text}], "role": "model"}}]} for text in ("Hel", "lo")
            ]
            events(peer, [f"data: {json.dumps(piece)}\r\n\r\n" for piece in pieces])
        else:
            error = {"error": {"message": "no such thing", "type": "invalid_request_error", "code": "x"}}
            peer.answer(json.dumps(error).encode(), "404 Not Found")


def anthropic_events(peer: Peer) -> None:
    message = {"id": "m1", "type": "message", "role": "assistant", "model": "claude-x", "content": []}
    message |= {"stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 0}}
    told = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ]
    events(peer, [f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in told])


@pytest.fixture
def provider(gateway: GatewayProcess, upstream: Upstream) -> Iterator[Upstream]:
    upstream.handler = answer
    found = gateway.admin("GET", "/api/mappings").json()["mappings"]
    targets = {prefix: found[prefix] for prefix in ("/openai", "/claude", "/gemini")}
    for prefix in targets:
        gateway.map(prefix, upstream.url)
    yield upstream
    for prefix, target in targets.items():
        gateway.map(prefix, target)


def test_openai_streams_a_completion(gateway: GatewayProcess, provider: Upstream) -> None:
    """An unmodified OpenAI client, pointed at /openai/v1, streams a completion with its own key."""
    import openai

    with openai.OpenAI(base_url=f"{gateway.url}/openai/v1", api_key="sk-caller") as client:
        stream = client.chat.completions.create(
            model="gpt-x", stream=True, messages=[{"role": "user", "content": "hi"}]
        )
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "Hello"
        whole = client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "hi"}])
    assert whole.choices[0].message.content == "Hello"
    assert provider.seen[-1].field("authorization") == "Bearer sk-caller"


def test_openai_reads_our_errors(gateway: GatewayProcess, provider: Upstream) -> None:
    """The OpenAI client reads message, code and request id of an error that the gateway itself made."""
    import openai

    gateway.map("/dead", "http://127.0.0.1:1")
    with (
        openai.OpenAI(base_url=f"{gateway.url}/dead/v1", api_key="k", max_retries=0) as client,
        pytest.raises(openai.InternalServerError) as caught,
    ):
        client.models.list()
    assert caught.value.status_code == 502
    assert caught.value.code == "upstream_unreachable"
    assert caught.value.request_id


def test_anthropic_streams_a_message(gateway: GatewayProcess, provider: Upstream) -> None:
    """An unmodified Anthropic client streams a message; its version and key headers pass."""
    import anthropic

    with (
        anthropic.Anthropic(base_url=f"{gateway.url}/claude", api_key="sk-ant") as client,
        client.messages.stream(model="claude-x", max_tokens=10, messages=[{"role": "user", "content": "hi"}]) as stream,
    ):
        assert "".join(stream.text_stream) == "Hello"
    assert provider.seen[-1].field("authorization") == "Bearer sk-ant"
    assert provider.seen[-1].field("anthropic-version")


def test_gemini_streams_content(gateway: GatewayProcess, provider: Upstream) -> None:
    """An unmodified google-genai client streams content; its key header and target pass."""
    from google import genai

    options = genai.types.HttpOptions(base_url=f"{gateway.url}/gemini")
    client = genai.Client(api_key="goog-key", http_options=options)
    pieces = client.models.generate_content_stream(model="gemini-x", contents="hi")
    assert "".join(piece.text or "" for piece in pieces) == "Hello"
    assert provider.seen[-1].field("x-goog-api-key") == "goog-key"
    assert provider.seen[-1].target.endswith("/models/gemini-x:streamGenerateContent?alt=sse")
    client.close()


class ResumableUpload:
    """As much of Google's resumable upload protocol as google-genai speaks, in pieces of any number."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.content = b""

    def __call__(self, peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            command = seen.field("x-goog-upload-command")
            if seen.target == "/upload/v1/files" and command == "start":
                address = f"{self.origin}/upload/v1/files?upload_id=u%2F1&upload_protocol=resumable"
                peer.answer(b"", fields=f"X-Goog-Upload-Status: active\r\nX-Goog-Upload-URL: {address}\r\n")
            elif seen.target == "/upload/v1/files?upload_id=u%2F1&upload_protocol=resumable":
                assert int(seen.field("x-goog-upload-offset") or -1) == len(self.content)
                self.content += seen.body
                is_last = command == "upload, finalize"
                told = {"file": {"name": "files/abc", "sizeBytes": str(len(self.content)), "state": "ACTIVE"}}
                status = f"X-Goog-Upload-Status: {'final' if is_last else 'active'}\r\n"
                peer.answer(json.dumps(told).encode() if is_last else b"", fields=status)
            else:
                peer.answer(b'{"error": {"code": 404, "message": "no such thing"}}', "404 Not Found")


def test_google_genai_uploads_a_file(gateway: GatewayProcess, provider: Upstream) -> None:
    """files.upload of an unmodified google-genai goes through in all its pieces: the address to upload to is ours."""
    from google import genai

    upload = provider.handler = ResumableUpload(provider.url)
    content = b"0123456789abcdef" * (600 * 1024)  # more than the SDK sends at once (8 MiB)
    asked: list[str] = []
    watch = {"event_hooks": {"request": [lambda request: asked.append(str(request.url))]}}
    options = genai.types.HttpOptions(base_url=f"{gateway.url}/gemini", client_args=watch)
    client = genai.Client(api_key="goog-key", http_options=options)
    file = client.files.upload(file=io.BytesIO(content), config={"mime_type": "text/plain"})
    client.close()
    assert (file.name, file.size_bytes) == ("files/abc", len(content))
    assert upload.content == content
    assert len(asked) == 3
    assert all(address.startswith(f"{gateway.url}/gemini/upload/v1/files") for address in asked)
