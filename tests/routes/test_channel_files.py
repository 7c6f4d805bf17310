"""Channels as a CSV file, out and in: GET /api/channels/export, POST /api/channels/import."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.core.routing import parse_mapping
from app.routes.admin.files import channel_files
from tests.support.channels import add_channel
from tests.support.gateway import GatewayProcess, Reply

HEADING = "name,api_key,url,priority,models,model_redirects,channel_type,key_strategy,enabled"

pytestmark = pytest.mark.usefixtures("no_channels_stay")


def send(gateway: GatewayProcess, text: str | bytes, query: str = "") -> Reply:
    """The file in a form, as pages and ccLoad's users send it."""
    data = text.encode() if isinstance(text, str) else text
    edge = "edge-of-the-form"
    head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="channels.csv"\r\n\r\n'.encode()
    body = head + data + f"\r\n--{edge}--\r\n".encode()
    headers = {
        "Authorization": f"Bearer {gateway.admin_token}",
        "Content-Type": f"multipart/form-data; boundary={edge}",
    }
    return gateway.request("POST", f"/api/channels/import{query}", body, headers)


def taken(gateway: GatewayProcess, text: str | bytes, query: str = "") -> dict[str, Any]:
    reply = send(gateway, text, query)
    assert reply.status == 200, reply.body
    answer: dict[str, Any] = reply.json()
    assert answer["success"] is True
    assert answer["processed"] == answer["created"] + answer["updated"] + answer["skipped"]
    return answer


def exported(gateway: GatewayProcess, query: str = "") -> str:
    reply = gateway.admin("GET", f"/api/channels/export{query}")
    assert reply.status == 200, reply.body
    return reply.body.decode()


def listed(gateway: GatewayProcess) -> dict[str, dict[str, Any]]:
    channels = gateway.admin("GET", "/api/channels?limit=500").json()["channels"]
    return {channel["name"]: channel for channel in channels}


def secrets_of(gateway: GatewayProcess, channel: dict[str, Any]) -> list[str]:
    return gateway.admin("GET", f"/api/channels/{channel['id']}/keys/export").body.decode().split()


def test_a_file_of_ccload_makes_channels_with_their_keys(gateway: GatewayProcess) -> None:
    lines = '甲,"k1,k2",https://a.example,10,"m,n","{""n"":""real""}",,round_robin,true\n二,k3,https://b.example,,m,,codex,,禁用'
    answer = taken(gateway, f"\ufeff{HEADING}\n{lines}\n")
    assert (answer["created"], answer["updated"], answer["skipped"], answer["errors"]) == (2, 0, 0, [])
    channels = listed(gateway)
    assert channels["甲"]["dialects"] == ["anthropic"]
    assert channels["甲"]["models"] == [{"name": "m", "upstream_name": ""}, {"name": "n", "upstream_name": "real"}]
    assert (channels["二"]["dialects"], channels["二"]["enabled"]) == (["responses"], False)
    assert secrets_of(gateway, channels["甲"]) == ["k1", "k2"]
    assert secrets_of(gateway, channels["二"]) == ["k3"]


def test_lines_that_cannot_be_are_told_and_the_others_taken(gateway: GatewayProcess) -> None:
    lines = [
        "good,k,https://a.example,,m,,,,",
        "bad,k,ftp://a.example,,m,,,,",
        ",,,,,,,,",
        "GOOD,k,https://b.example,,m,,,,",
        "private,k,http://10.0.0.1,,m,,,,",
    ]
    answer = taken(gateway, "\n".join([HEADING, *lines]))
    assert (answer["created"], answer["skipped"]) == (1, 4)
    assert [error["line"] for error in answer["errors"]] == [3, 5, 6]
    assert "urls[0].url" in answer["errors"][0]["message"]
    assert "line 2" in answer["errors"][1]["message"]
    assert list(listed(gateway)) == ["good"]


def test_a_line_changes_the_channel_of_its_name_and_its_keys(gateway: GatewayProcess) -> None:
    """What the file has no column for stays."""
    before = add_channel(gateway, "One", note="mine", weight=7, keys=["k1", "k2"])
    [kept] = [key for key in gateway.admin("GET", f"/api/channels/{before['id']}/keys").json()["keys"] if key["id"]][1:]
    gateway.admin("PUT", f"/api/channels/{before['id']}/keys/{kept['id']}", {"note": "stays"})
    answer = taken(gateway, f'{HEADING}\none,"k2,k3",https://b.example,5,m,,openai,,true\n')
    assert (answer["created"], answer["updated"], answer["unchanged"]) == (0, 1, 0)
    [change] = answer["changes"]
    assert (change["keys_added"], change["keys_removed"]) == (1, 1)
    assert {"name", "urls", "priority", "key_strategy"} <= set(change["fields"])
    after = listed(gateway)["one"]
    assert (after["id"], after["note"], after["weight"], after["priority"]) == (before["id"], "mine", 7, 5)
    assert secrets_of(gateway, after) == ["k2", "k3"]
    keys = gateway.admin("GET", f"/api/channels/{after['id']}/keys").json()["keys"]
    assert (keys[0]["id"], keys[0]["note"]) == (kept["id"], "stays")


def test_a_preview_tells_what_would_change_and_changes_nothing(gateway: GatewayProcess) -> None:
    add_channel(gateway, "one", keys=["k1"])
    before = exported(gateway)
    text = f"{HEADING}\none,k2,https://b.example,5,m,,,,\ntwo,k,https://c.example,,m,,,,\nbad,,,,,,,,\n"
    preview = taken(gateway, text, "?preview=true")
    assert preview["preview"] is True
    assert exported(gateway) == before
    real = taken(gateway, text)
    assert {**preview, "preview": False} == real
    assert [change["action"] for change in real["changes"]] == ["updated", "created"]


def test_an_export_that_is_imported_again_changes_nothing(gateway: GatewayProcess) -> None:
    channel = add_channel(gateway, "=one", priority=-3, keys=["k1", "k2"], header_rules=[
        {"action": "set", "name": "X-Note", "value": '=1,"2"'},
    ])  # fmt: skip
    [first, _] = gateway.admin("GET", f"/api/channels/{channel['id']}/keys").json()["keys"]
    path = f"/api/channels/{channel['id']}/keys/{first['id']}"
    gateway.admin("PUT", path, {"note": "@note", "models": ["m"], "enabled": False})
    add_channel(gateway, "without keys")
    text = exported(gateway)
    answer = taken(gateway, text)
    assert (answer["updated"], answer["unchanged"], answer["errors"]) == (2, 2, [])
    assert exported(gateway) == text


def test_an_export_brings_back_what_was_deleted(gateway: GatewayProcess) -> None:
    """Channels and keys get new ids; all that was said of them is as it was."""
    channel = add_channel(gateway, "one", keys=["k1", "k2"], weight=3, options={"queue_timeout": 2.0})
    [_, second] = gateway.admin("GET", f"/api/channels/{channel['id']}/keys").json()["keys"]
    path = f"/api/channels/{channel['id']}/keys/{second['id']}"
    gateway.admin("PUT", path, {"note": "second", "models": ["m"], "enabled": False})
    text = exported(gateway)
    gateway.admin("DELETE", f"/api/channels/{channel['id']}")
    assert taken(gateway, text)["created"] == 1
    again = listed(gateway)["one"]
    assert again["id"] != channel["id"]
    assert exported(gateway).replace(f"\n{again['id']},", f"\n{channel['id']},") == text


def test_an_export_is_a_file_that_spreadsheets_open(gateway: GatewayProcess) -> None:
    add_channel(gateway, "=cmd|' /C calc'!A0", keys=["sk-0123456789abcdef"])
    reply = gateway.admin("GET", "/api/channels/export")
    assert reply.field("content-type") == "text/csv; charset=utf-8"
    assert str(reply.field("content-disposition")).startswith('attachment; filename="channels-2')
    assert reply.body.startswith(b"\xef\xbb\xbfid,name,api_key,url,priority,models,model_redirects,channel_type,")
    assert b",'=cmd|' /C calc'!A0,sk-0123456789abcdef," in reply.body


def test_an_export_is_written_down_and_can_leave_the_keys_out(gateway: GatewayProcess) -> None:
    add_channel(gateway, "audited-channel", keys=["sk-0123456789abcdef"])
    text = exported(gateway, "?secrets=false")
    assert "sk-0123456789abcdef" not in text
    assert "sk-0…cdef" in text
    answer = taken(gateway, text)
    assert (answer["unchanged"], answer["errors"]) == (1, [])
    exported(gateway)
    told = 'export_channels of channels by 127.0.0.1 (bearer): {"before":null,"after":{"channels":1,"with_keys":'
    log = gateway.log_with(f"{told}false", f"{told}true", "import_channels of channels by 127.0.0.1 (bearer)")
    assert "sk-0123456789abcdef" not in log


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("name,api_key,models\n", "lacks url"),
        ("name,name,api_key,url,models\n", "twice"),
    ],
)
def test_a_file_that_is_no_list_of_channels_is_refused_whole(gateway: GatewayProcess, text: str, words: str) -> None:
    reply = send(gateway, text)
    assert (reply.status, reply.json()["code"], reply.json()["field"]) == (400, "invalid", "file")
    assert words in reply.json()["error"]


def test_a_body_without_a_file_says_how_to_send_one(gateway: GatewayProcess) -> None:
    reply = gateway.admin("POST", "/api/channels/import", {"file": "x"})
    assert (reply.status, reply.json()["field"]) == (400, "file")
    assert "curl" in reply.json()["error"]


def test_the_field_may_have_no_name_of_a_file(gateway: GatewayProcess) -> None:
    body = f'--e\r\nContent-Disposition: form-data; name="file"\r\n\r\n{HEADING}\none,k,https://a.example,,m,,,,\r\n--e--\r\n'
    headers = {"Authorization": f"Bearer {gateway.admin_token}", "Content-Type": "multipart/form-data; boundary=e"}
    assert gateway.request("POST", "/api/channels/import", body.encode(), headers).json()["created"] == 1


def test_the_body_may_be_the_file(gateway: GatewayProcess) -> None:
    headers = {"Authorization": f"Bearer {gateway.admin_token}", "Content-Type": "text/csv"}
    body = f"{HEADING}\none,k,https://a.example,,m,,,,\n".encode()
    assert gateway.request("POST", "/api/channels/import", body, headers).json()["created"] == 1


def test_a_query_that_says_neither_yes_nor_no_is_refused(gateway: GatewayProcess) -> None:
    assert json.loads(gateway.admin("GET", "/api/channels/export?secrets=never").body)["field"] == "secrets"
    assert send(gateway, f"{HEADING}\n", "?preview=maybe").json()["field"] == "preview"


def test_names_that_hang_hold_up_a_file_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """After that only what no resolver is asked for is looked at: it is refused all the same."""
    monkeypatch.setattr(channel_files, "RESOLVING_S", 0.0)
    asked: list[str] = []
    check = channel_files.check_for_a_while(lambda upstream: asked.append(upstream.host))
    for host in ("api.openai.com", "127.0.0.1", "localhost", "[::1]", "a.localhost"):
        check(parse_mapping("/x", f"https://{host}").upstream)
    assert asked == ["127.0.0.1", "localhost", "::1", "a.localhost"]
