"""A ccLoad that was taken over: a running gateway serves what it had, to whoever has its tokens."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from scripts.import_ccload import main
from tests.support.ccload_files import CcloadFile
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream
from tests.support.waiting import wait_until


@pytest.mark.usefixtures("no_channels_stay")
def test_a_token_of_ccload_opens_the_channels_that_came_with_it(gateway: GatewayProcess, tmp_path: Path) -> None:
    """The same text as there; its key and redirect are what the upstream sees, and a key that rests is not used."""
    upstream = Upstream()
    file = CcloadFile(tmp_path / "ccload.db")
    file.channel("moved", "sk-rests sk-goes", "asked=real", f"http://127.0.0.1:{upstream.port}", channel_type="openai")
    until_s = int(time.time()) + 900
    file.connection.execute("UPDATE api_keys SET cooldown_until = ? WHERE api_key = 'sk-rests'", [until_s])
    file.token("a" * 64, "carol")
    arguments = [str(file.path), "--url", gateway.redis_url]
    environ = pytest.MonkeyPatch()
    environ.setenv("EGRESS_ALLOW", "127.0.0.0/8")
    assert main(arguments) == 0
    environ.undo()
    file.close()
    try:
        wait_until(lambda: gateway.admin("GET", "/api/channels").json()["count"] == 1, "the channel is there")
        [channel] = gateway.admin("GET", "/api/channels").json()["channels"]

        def rests() -> bool:
            keys = gateway.admin("GET", f"/api/channels/{channel['id']}/keys").json()["keys"]
            return [key["resting_until_ms"] for key in keys] == [until_s * 1000, None]

        wait_until(rests, "the key rests")
        headers = {"Authorization": f"Bearer {'a' * 64}", "Content-Type": "application/json"}
        body = '{"model": "asked", "messages": []}'
        seen = gateway.request("POST", "/v1/chat/completions", body, headers).json()
        assert ["Authorization", "Bearer sk-goes"] in seen["fields"]
        assert seen["body"] == body.replace("asked", "real")
        assert gateway.request("GET", "/v1/models", None, {"Authorization": f"Bearer {'b' * 64}"}).status == 401
    finally:
        for token in gateway.admin("GET", "/api/tokens?q=carol").json()["access_tokens"]:
            gateway.admin("DELETE", f"/api/tokens/{token['id']}")
        upstream.close()
