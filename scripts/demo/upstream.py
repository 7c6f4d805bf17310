"""A provider for the demo: it answers every call, word by word where a stream is wanted, and asks nobody for a key."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORDS = (
    "Hello! In five languages: hello (English), hola (Spanish), bonjour (French), 你好 (Chinese), habari (Swahili). "
    "Shall I explain how each of them is used, and when another greeting would be more polite?"
).split(" ")
SLOWLY = "Take your time."
"""Who says so gets each word late, so that the call can be seen while it goes on."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._whole({"object": "list", "data": []})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            asked = json.loads(body)
        except ValueError:
            asked = {}
        is_anthropic = self.path.endswith("/messages")
        if not asked.get("stream"):
            self._whole(_anthropic_whole() if is_anthropic else _openai_whole())
            return
        pause_s = 3.0 if SLOWLY.encode() in body else 0.02
        try:
            self._stream(_anthropic_events() if is_anthropic else _openai_events(), pause_s)
        except OSError:
            self.close_connection = True

    def _whole(self, answer: dict[str, Any]) -> None:
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _stream(self, events: list[str], pause_s: float) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            time.sleep(pause_s)
            data = event.encode()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is said of calls."""


def _openai_whole() -> dict[str, Any]:
    usage = {"prompt_tokens": 24, "completion_tokens": 41, "total_tokens": 65}
    message = {"role": "assistant", "content": " ".join(WORDS)}
    return {"object": "chat.completion", "choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}


def _openai_events() -> list[str]:
    chunks: list[Any] = [{"choices": [{"index": 0, "delta": {"content": f"{word} "}}]} for word in WORDS]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": _openai_whole()["usage"]})
    return [*(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks), "data: [DONE]\n\n"]


def _anthropic_whole() -> dict[str, Any]:
    content = [{"type": "text", "text": " ".join(WORDS)}]
    usage = {"input_tokens": 24, "output_tokens": 41}
    return {"type": "message", "role": "assistant", "content": content, "stop_reason": "end_turn", "usage": usage}


def _anthropic_events() -> list[str]:
    events: list[dict[str, Any]] = [{"type": "message_start", "message": _anthropic_whole() | {"content": []}}]
    events.append({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    deltas = [{"type": "text_delta", "text": f"{word} "} for word in WORDS]
    events += [{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas]
    events.append({"type": "content_block_stop", "index": 0})
    events.append({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 41}})
    events.append({"type": "message_stop"})
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]


def start_upstream() -> str:
    """Its URL. It ends with this process."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"
