"""Access tokens of a gateway, made by its admin API."""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.support.gateway import GatewayProcess


class Issued(NamedTuple):
    id: str
    text: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.text}", "Content-Type": "application/json"}


def add_token(gateway: GatewayProcess, name: str = "alice", **said: Any) -> Issued:
    reply = gateway.admin("POST", "/api/tokens", {"name": name} | said)
    assert reply.status == 201, reply.body
    told = reply.json()
    return Issued(told["access_token"]["id"], told["token"])


def change_token(gateway: GatewayProcess, token: Issued, **said: Any) -> dict[str, Any]:
    """The token as it is answered."""
    reply = gateway.admin("PUT", f"/api/tokens/{token.id}", said)
    assert reply.status == 200, reply.body
    changed: dict[str, Any] = reply.json()["access_token"]
    return changed


def delete_tokens(gateway: GatewayProcess) -> None:
    while listed := gateway.admin("GET", "/api/tokens").json()["access_tokens"]:
        for token in listed:
            gateway.admin("DELETE", f"/api/tokens/{token['id']}")
