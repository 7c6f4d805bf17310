"""Channels that this machine may call without a token."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.config import load_config
from app.gateway import build_gateway
from app.routes import build_flask
from tests.support.api_calls import BEARER, PATHS, Accounts, refused
from tests.support.gateway import ADMIN_TOKEN

BODY = '{"model": "m", "messages": []}'


@pytest.fixture
def anonymous(accounts: Accounts) -> Iterator[Accounts]:
    """The channels are open to this machine."""
    accounts.add("one")
    assert accounts.gateway.admin("PUT", "/api/settings", {"anonymous_channels": True}).status == 200
    yield accounts
    accounts.gateway.admin("PUT", "/api/settings", {"anonymous_channels": None})


def test_programs_of_this_machine_need_no_token(anonymous: Accounts) -> None:
    """Nor a right one, as SDKs insist on sending something; it stays here all the same."""
    for headers in ({}, {"Authorization": "Bearer sk-anything"}, BEARER, {"Origin": "http://localhost:3000"}):
        assert anonymous.gateway.request("POST", PATHS["openai"], BODY, headers).status == 200
    assert "sk-anything" not in str([seen.fields for seen in anonymous.upstream.seen])


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "rebound.example"}]
)
def test_pages_of_elsewhere_need_one(anonymous: Accounts, headers: dict[str, str]) -> None:
    """Any page in a browser of this machine could use the channels otherwise, as every origin may read answers."""
    reply = anonymous.gateway.request("POST", PATHS["openai"], BODY, headers)
    assert refused(reply) == (401, "access_token_required", "false")
    assert anonymous.gateway.request("POST", PATHS["openai"], BODY, headers | BEARER).status == 200


def test_they_cannot_be_opened_where_others_reach_the_gateway(redis_url: str) -> None:
    """The operator is told why, and nothing is changed; what was stored otherwise does not count."""
    config = load_config({"REDIS_URL": redis_url, "ADMIN_TOKEN": ADMIN_TOKEN, "HOST": "0.0.0.0"})
    client = build_flask(build_gateway(config)).test_client()
    admin = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    reply = client.put("/api/settings", json={"anonymous_channels": True}, headers=admin)
    assert (reply.status_code, reply.json["code"], reply.json["field"]) == (400, "invalid", "anonymous_channels")
    assert client.get("/api/settings", headers=admin).json["settings"]["anonymous_channels"]["value"] is False
