"""`/api/openapi.json` tells of every route what the route itself checks and answers."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from itertools import count, pairwise
from typing import Any
from urllib.parse import urlencode

import pytest
from openapi_spec_validator import validate

from app.config import load_config
from app.core.setting_table import SETTINGS
from app.gateway import build_gateway
from app.routes import build_flask
from app.routes.admin.tasks.imports import AT_ONCE
from app.routes.openapi.document import document, methods_of
from app.routes.openapi.operation import operation_of
from app.storage.connections import AUDIT_WAITING, open_redis
from tests.support.api_calls import BEARER, GOOD, PATHS, Accounts
from tests.support.databases import prepared
from tests.support.described import Described, operations_of, read_document
from tests.support.gateway import ADMIN_TOKEN, Reply
from tests.support.log_rows import Log
from tests.support.upstream import Peer
from tests.support.waiting import wait_until

JSON, CSV = {"Content-Type": "application/json"}, {"Content-Type": "text/csv"}
FILE = "name,api_key,url,models\nof a file,k1,https://a.example,m\nhalf,k2\n"
NOT_OF_THE_API = {
    "address_page.address", "ccload.page", "public.admin", "public.dashboard", "public.event_logging", "public.icon",
    "public.robots", "public.static",
}  # fmt: skip
"""Pages, their files, and what is taken from Claude Code and goes nowhere."""
NO_ACTS = {"explain_call", "try_rules"}
"""They change nothing and ask nobody."""
HOW = """is a route that the document does not tell of. Say beside it what it takes and answers:

    @admin.post("/things")
    @operation("Adds a thing.", body=Body(THING, {"name": "one"}), answer={"thing": THING}, status=201)
    def add_thing(said: Said) -> Answer:

THING is a Shape (app/core/said/shapes.py), by which `said` reads, too; see app/routes/openapi/operation.py."""


def answers(peer: Peer) -> None:
    """A list of models, and calls well."""
    while (seen := peer.read_request()) is not None:
        listed = {"object": "list", "data": [{"id": "m"}]}
        peer.answer(json.dumps(listed if seen.line.startswith("GET") else GOOD["openai"]).encode())


class World:
    """A gateway that has one of everything, so that each operation finds what its path and body name."""

    def __init__(self, accounts: Accounts) -> None:
        self.accounts = accounts
        self.gateway = accounts.gateway
        self._numbers = count()
        self.tokens: list[str] = []
        self.prefixes: list[str] = []
        self._going: list[socket.socket] = []

    def number(self) -> int:
        return next(self._numbers)

    def call(self, operation: Described, path: str, body: Any = None, **asked: str) -> Reply:
        """With the parameters that must be there, and those that are asked."""
        if operation.path == "/api/restore":
            asked = {"preview": "true"} | asked  # others have their channels here
        needed = {one["name"]: one["schema"]["examples"][0] for one in operation.parameters if one["required"]}
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", **(CSV if operation.takes_a_file else JSON)}
        sent = FILE if operation.takes_a_file else None if body is None else json.dumps(body)
        query = urlencode({**needed, **asked})
        if operation.path == "/api/logs/prune":
            with open_redis(self.gateway.redis_url) as client, Log(self.gateway, client).caught_up():
                return self.gateway.admin("POST", path)
        return self.gateway.request(operation.method.upper(), f"{path}?{query}" if query else path, sent, headers)

    def place(self, operation: Described) -> str:
        """The operation's path, with what it names made anew: deleting one harms no other."""
        known: dict[str, str] = {}
        for name in re.findall(r"{(\w+)}", operation.path):
            known[name] = getattr(self, f"_{name}")(known)
        return operation.path.format(**known)

    def fit(self, operation: Described, body: Any, path: str) -> Any:
        """A body whose values name what there is."""
        if not isinstance(body, dict):
            return body
        url = self.accounts.upstream.url
        real: dict[str, Any] = {"urls": [{"url": url}], "url": url, "name": f"new {self.number()}"}
        if operation.path.startswith("/api/admin"):
            real = {"token": ADMIN_TOKEN}
        if operation.path == "/login":
            real = {"password": ADMIN_TOKEN}
        if operation.path.startswith("/api/mappings"):
            real = {"prefix": f"/described/{self.number()}", "target": url}
        if operation.path == "/api/playground":
            real = {"token_id": self._token_id({}), "path": f"/{self._prefix({})}/v1/models"}
        if "ids" in body:
            channel = path.split("/")[3] if "/keys/" in path else ""
            real["ids"] = [self._key_id({"channel_id": channel}) if channel else self._channel_id({})]
        return body | {name: value for name, value in real.items() if name in body}

    def _channel_id(self, known: dict[str, str]) -> str:
        return self.accounts.add(f"described {self.number()}", ["sk-upstream-0001", "sk-upstream-0002"])

    def _key_id(self, known: dict[str, str]) -> str:
        keys = self.gateway.admin("GET", f"/api/channels/{known['channel_id']}/keys").json()["keys"]
        return str(keys[-1]["id"])

    def _token_id(self, known: dict[str, str]) -> str:
        reply = self.gateway.admin("POST", "/api/tokens", {"name": f"described {self.number()}"})
        self.tokens.append(reply.json()["access_token"]["id"])
        return self.tokens[-1]

    def _prefix(self, known: dict[str, str]) -> str:
        self.prefixes.append(f"described/{self.number()}")
        self.gateway.map(f"/{self.prefixes[-1]}", self.accounts.upstream.url)
        return self.prefixes[-1]

    def _request_id(self, known: dict[str, str]) -> str:
        self._channel_id(known)
        return self.log_a_call()

    def _window(self, known: dict[str, str]) -> str:
        return "24h"

    def log_a_call(self) -> str:
        """The id of a call that is in the log now: none comes there later, to disturb others."""
        reply = self.gateway.request("POST", PATHS["openai"], json.dumps({"model": "m"}), BEARER)
        with open_redis(self.gateway.redis_url) as client:
            return str(Log(self.gateway, client).of(reply)["request"]["request_id"])

    def _call_id(self, known: dict[str, str]) -> str:
        """Of a call that goes on, as its body does not end."""
        sock = self.gateway.connect()
        self._going.append(sock)
        sock.sendall(f"POST /{self._prefix(known)}/x HTTP/1.1\r\nHost: g\r\nContent-Length: 9\r\n\r\n1".encode())
        asked = ("GET", "/api/active")
        return str(wait_until(lambda: self.gateway.admin(*asked).json()["active"], "it goes on")[0]["id"])

    def _task_id(self, known: dict[str, str]) -> str:
        keys = [f"sk-{number:09}" for number in range(AT_ONCE + 1)]
        reply = self.gateway.admin("POST", f"/api/channels/{self._channel_id(known)}/keys", {"keys": keys})
        return str(reply.json()["task"]["id"])

    def close(self) -> None:
        for sock in self._going:
            sock.close()
        for path, names in (("tokens", self.tokens), ("mappings", self.prefixes)):
            for name in names:
                self.gateway.admin("DELETE", f"/api/{path}/{name}")
        self.gateway.admin("PUT", "/api/settings", dict.fromkeys(SETTINGS))
        self.gateway.admin("PUT", "/api/outcome-rules", {"rules": []})
        self.gateway.admin("PUT", "/api/prices", {"overrides": []})


@pytest.fixture
def world(accounts: Accounts) -> Iterator[World]:
    world = World(accounts)
    accounts.upstream.handler = answers
    with open_redis(accounts.gateway.redis_url) as client, prepared(client, accounts.gateway.redis_url):
        yield world
    world.close()


def test_every_route_is_told_of_and_nothing_else(accounts: Accounts) -> None:
    """Whoever adds a route says beside it what it takes; the document has no operation that is no route."""
    config = {"REDIS_URL": accounts.gateway.redis_url, "ADMIN_TOKEN": ADMIN_TOKEN}
    flask = build_flask(build_gateway(load_config(config)))
    routes = set()
    for rule in flask.url_map.iter_rules():
        if rule.endpoint in NOT_OF_THE_API or rule.endpoint.startswith("public.meant"):
            continue
        told = operation_of(flask.view_functions[rule.endpoint])
        assert told is not None, f"{'/'.join(methods_of(rule))} {rule.rule} {HOW}"
        routes |= {(method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)) for method in methods_of(rule)}
    described = read_document(accounts.gateway)
    assert {(one.method, one.path) for one in operations_of(described)} == routes


def test_the_document_is_one(accounts: Accounts) -> None:
    """A validator takes it for OpenAPI 3.1; each operation has a summary and a name of its own."""
    told = read_document(accounts.gateway)
    validate(told)
    assert told["openapi"].startswith("3.1.")
    operations = operations_of(told)
    assert all(one.told["summary"] for one in operations)
    assert len({one.told["operationId"] for one in operations}) == len(operations)


def test_who_has_it_is_told_so(accounts: Accounts) -> None:
    """It is made once, and a browser that has it needs it no second time."""
    reply = accounts.gateway.admin("GET", "/api/openapi.json")
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "If-None-Match": reply.field("etag") or ""}
    assert accounts.gateway.request("GET", "/api/openapi.json", headers=headers).status == 304
    assert accounts.gateway.request("GET", "/api/openapi.json").status == 401


def test_the_least_that_is_allowed_is_taken_and_answered_as_told(world: World) -> None:
    """Of each operation; so is the example that stands with it. Answers have each field that is told, and no other."""
    complaints = []
    for one in operations_of(read_document(world.gateway)):
        for body in [None] if one.body is None else [one.least(one.body), one.example]:
            path = world.place(one)
            reply = world.call(one, path, world.fit(one, body, path))
            complaints += one.complaints(reply)
            if reply.status >= 300:
                complaints.append(f"{one} with {body}: {reply.status} {reply.body[:300]!r}")
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/api/channels/{channel_id}", "channel"),
        ("/api/tokens/{token_id}", "access_token"),
        ("/api/prices", ""),
        ("/api/outcome-rules", ""),
    ],
)
def test_what_get_gave_can_be_put(world: World, path: str, part: str) -> None:
    """By the document, which the sender may go by, and by the route."""
    world.gateway.admin("PUT", "/api/outcome-rules", {"rules": [{"status": "429", "blame": "key"}]})
    world.gateway.admin("PUT", "/api/prices", {"overrides": [{"model": "m", "input": "1", "output": "2"}]})
    told = {one.method: one for one in operations_of(read_document(world.gateway)) if one.path == path}
    place = world.place(told["get"])
    given = world.call(told["get"], place).json()
    given = given[part] if part else given
    assert not told["put"].misfit(given)
    assert world.call(told["put"], place, given).status == 200


def test_each_act_is_in_the_audit(world: World) -> None:
    """Whatever changes something, or gives a secret away; and no entry holds one."""
    with open_redis(world.gateway.redis_url) as client:
        operations = operations_of(read_document(world.gateway))
        acts = [one for one in operations if one.method != "get" or "audited" in one.told.get("description", "")]
        assert len(acts) > 40
        missing = []
        for one in acts:
            client.delete(AUDIT_WAITING)
            path = world.place(one)
            world.call(one, path, world.fit(one, None if one.body is None else one.least(one.body), path), preview="")
            entries = world.gateway.admin("GET", "/api/audit?limit=500").json()["entries"]
            name = one.told["operationId"].removesuffix("_post")
            if (name in {entry["action"] for entry in entries}) == (name in NO_ACTS):
                missing.append(f"{one}: {[entry['action'] for entry in entries]}")
            assert not any(secret in json.dumps(entries) for secret in (ADMIN_TOKEN, "sk-upstream-0")), one
    assert not missing, "\n".join(missing)


def test_what_is_left_to_a_task_is_answered_as_told(world: World) -> None:
    """Each operation that tells of a task answers one for what is long."""
    keys = [f"sk-{number:09}" for number in range(AT_ONCE + 1)]
    long: dict[str, Any] = {
        "/api/channels/batch": {"ids": [world.accounts.add("asked")], "action": "fetch_models"},
        "/api/channels/{channel_id}/keys": {"keys": keys},
        "/api/channels/{channel_id}/keys/batch": {"all": True, "action": "validate"},
    }
    told = [one for one in operations_of(read_document(world.gateway)) if "202" in one.told["responses"]]
    assert {one.path for one in told} == set(long)
    for one in told:
        reply = world.call(one, world.place(one), long[one.path])
        assert (reply.status, one.complaints(reply)) == (202, [])


def test_what_is_not_allowed_is_refused(world: World) -> None:
    """A field that is not told of, one that is missing, values that the schema refuses: the route names each."""
    complaints = []
    for one in operations_of(read_document(world.gateway)):
        if one.body is None:
            continue
        path = world.place(one)
        least = world.fit(one, one.least(one.body), path)
        bad = [(least | {"unheard_of": 1}, "unheard_of", "unknown_field")]
        bad += [({name: least[name] for name in least if name != missing}, missing, "") for missing in one.needed]
        bad += [(one.alone(least, name) | {name: value}, name, "") for name, value in one.misfits()]
        for body, field, code in bad:
            reply = world.call(one, path, body)
            answer = reply.json()
            complaints += one.complaints(reply)
            named = re.match(rf"{field}\b", answer.get("field", field)) or one.told["tags"] == ["ccLoad"]
            if reply.status not in (400, 404) or not named:
                complaints.append(f"{one} with {str(body)[:200]}: {reply.status} {answer}")
            if code and (answer.get("code"), answer.get("field")) != (code, field):
                complaints.append(f"{one} does not refuse an unknown field: {answer}")
    assert not complaints, "\n".join(complaints)


def test_what_cannot_be_asked_is_refused(world: World) -> None:
    """A parameter with a word or a number that the document does not allow: by the route, by its name."""
    complaints = []
    for one in operations_of(read_document(world.gateway)):
        path = world.place(one)
        for name, word in one.odd_parameters():
            body = None if one.body is None else one.least(one.body)
            reply = world.call(one, path, body, **{name: word})
            answer = reply.json()
            code = answer["error"]["code"] if isinstance(answer["error"], dict) else answer["field"]
            if reply.status != 400 or code not in (name, f"unknown_{name}"):
                complaints.append(f"{one} with {name}={word}: {reply.status} {answer}")
    assert not complaints, "\n".join(complaints)


def test_only_these_ask_for_no_credential(accounts: Accounts) -> None:
    """All others are denied to whoever shows none."""
    found = {one.path for one in operations_of(read_document(accounts.gateway)) if one.open}
    sessions = {"/api/admin/login", "/api/admin/logout", "/login", "/logout"}
    assert found == {
        "/health",
        "/stats",
        "/stats/{window}",
        "/public/channel-types",
        "/public/summary",
        "/public/version",
        *sessions,
    }


def test_nobody_is_let_in_where_the_document_asks_for_a_credential(world: World) -> None:
    """And what it says anybody may ask for, anybody may."""
    for one in operations_of(read_document(world.gateway)):
        path = re.sub(r"{\w+}", "1", one.path)
        reply = world.gateway.request(one.method.upper(), path, b"{}", JSON)
        assert (reply.status != 401) == one.open, one


def test_calls_that_failed_are_answered_as_told(world: World) -> None:
    """A blacklisted key, an error of a channel and a call in the log stand in the answers as the document says."""
    world.accounts.upstream.handler = lambda peer: (
        peer.read_request()
        and peer.answer(
            b'{"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}', "401 Unauthorized"
        )
    )
    channel = world.accounts.add("failing", ["sk-upstream-0001"])
    world.log_a_call()
    [key] = wait_until(lambda: world.gateway.admin("GET", "/blacklist").json()["blacklistedKeys"], "the key is out")
    assert key["channel"] == "failing"
    complaints = []
    for one in operations_of(read_document(world.gateway)):
        if one.method == "get" and "{" not in one.path.replace("{channel_id}", ""):
            complaints += one.complaints(world.call(one, one.path.format(channel_id=channel)))
    assert not complaints, "\n".join(complaints)


@pytest.mark.timing
def test_no_step_of_making_it_takes_long(accounts: Accounts) -> None:
    """Other calls of the process go on meanwhile."""
    config = {"REDIS_URL": accounts.gateway.redis_url, "ADMIN_TOKEN": ADMIN_TOKEN}
    flask = build_flask(build_gateway(load_config(config)))

    def longest_ms() -> float:
        """Of this thread's own time: the machine may have more to do."""
        moments = [time.thread_time()]
        document(flask.url_map, flask.view_functions, lambda: moments.append(time.thread_time()))
        moments.append(time.thread_time())
        return 1000 * max(after - before for before, after in pairwise(moments))

    assert min(longest_ms() for _ in range(3)) < 5
