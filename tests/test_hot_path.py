"""What is compiled is what calls pass."""

from __future__ import annotations

import http.client
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.compile import HOT_PATH, LEFT_OUT
from tests.support.gateway import ROOT, GatewayProcess
from tests.support.passing import PASSED_TO
from tests.support.upstream import Peer, Upstream

CALLS = 8
"""Of each kind. What runs beside them in the background does not run in every one."""
BROWSER = {
    "Origin": "https://page.example",
    "Sec-Fetch-Dest": "empty",
    "traceparent": f"00-{'1' * 32}-{'2' * 16}-01",
}


TOKEN = "a-token-of-ours-0123456789"
API = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
TEXT = b'data: {"choices": [{"delta": {"content": "hi"}}]}\n\n'
STOP = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'


def serve(peer: Peer) -> None:
    """Answers by the path: with an address and a cookie, in chunks, or shortly."""
    while request := peer.read_request():
        match request.target.rpartition("/")[2]:
            case "browser":
                peer.answer(fields="Location: /next\r\nSet-Cookie: a=b\r\nContent-Type: text/html\r\n")
            case "stream":
                peer.begin_stream()
                for _ in range(3):
                    peer.send_chunk(b"data: 1\n\n")
                peer.end_stream()
            case "completions" if b'"stream"' in request.body:
                peer.begin_stream()
                for event in (TEXT, TEXT, STOP):
                    peer.send_chunk(event)
                peer.end_stream()
            case "completions" | "embeddings":
                peer.answer(
                    b'{"choices": [{"message": {"content": "hi"}}]}', fields="Content-Type: application/json\r\n"
                )
            case _:
                peer.answer()


KINDS: dict[str, Callable[[http.client.HTTPConnection, str], None]] = {
    "/up/plain": lambda client, path: client.request("GET", path),
    "/up/stream": lambda client, path: client.request("POST", path, body=b"{}"),
    "/up/long": lambda client, path: client.request("POST", path, body=b"x" * 300_000),
    "/up/chunked": lambda client, path: client.request("POST", path, body=iter([b"x" * 70_000] * 3)),
    "/up/browser": lambda client, path: client.request("GET", path, headers=BROWSER),
    "/limited/plain": lambda client, path: client.request("GET", path),
    "/gnothink/edited": lambda client, path: client.request(
        "POST", path, body=b'{"contents": []}', headers={"Content-Type": "application/json"}
    ),
    "/v1/chat/completions": lambda client, path: client.request(
        "POST", path, body=b'{"model": "m", "stream": true}', headers=API
    ),
    "/v1/embeddings": lambda client, path: client.request("POST", path, body=b'{"model": "m2"}', headers=API),
}
"""By their paths. Web pages and switched connections are none of these: there the rewriting costs, and the waiting."""


def call(gateway: GatewayProcess, upstream: Upstream) -> None:
    for prefix in ("/up", "/gnothink", "/limited"):
        gateway.map(prefix, upstream.url)
    options = {"max_concurrency": 50, "requests_per_second": 1000, "total_timeout": 9, "max_body_bytes": 9}
    assert gateway.admin("PUT", "/api/mappings/limited", {"options": options}).status == 200
    for name, model, limits in (("free", "m", {}), ("limited", "m2", {"key_requests_per_minute": 100})):
        said = {"name": name, "dialects": ["openai"], "urls": [{"url": upstream.url}], "keys": ["sk-1", "sk-2"]}
        said |= {"models": [{"name": model, "upstream_name": f"{model}-there"}], **limits}
        assert gateway.admin("POST", "/api/channels", said).status == 201
    client = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    for path, ask in KINDS.items():
        for _ in range(CALLS):
            ask(client, path)
            reply = client.getresponse()
            reply.read()
            assert reply.status == 200
    client.close()


@pytest.mark.own_server
def test_what_calls_pass_is_compiled_or_says_why_not(tmp_path: Path, redis_url: str, upstream: Upstream) -> None:
    """A module that runs in every call of a kind stands in HOT_PATH, or with its reason in LEFT_OUT; none in vain."""
    for name in ("app", "admin_ui"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    noting = f"\nsys.path.append({str(ROOT)!r})\nfrom tests.support.passing import post_worker_init\n"
    (tmp_path / "gunicorn.conf.py").write_text((ROOT / "gunicorn.conf.py").read_text() + noting)
    passed_to = tmp_path / "passed.json"
    upstream.handler = serve
    gateway = GatewayProcess(redis_url, {PASSED_TO: str(passed_to), "AUTH_KEY": TOKEN}, server="", root=tmp_path)
    try:
        gateway.start()
        call(gateway, upstream)
    finally:
        gateway.stop()

    requests = [(path, set(modules)) for path, modules in json.loads(passed_to.read_text())]
    passed: set[str] = set()
    for kind in KINDS:
        of_kind = [modules for path, modules in requests if path == kind]
        assert len(of_kind) == CALLS
        passed |= set.intersection(*of_kind[:-1])  # what runs after the last may be the next kind's
    assert {"app/wire/http/http1.py", "app/proxy/relay.py", "app/storage/limits/slots.py"} <= passed
    assert passed <= set(HOT_PATH) | set(LEFT_OUT), "scripts/compile.py does not know these"
    assert set(LEFT_OUT) <= passed, "no call passes these"
    assert not set(LEFT_OUT) & set(HOT_PATH)
