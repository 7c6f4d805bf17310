"""Limits are changed while the gateway runs, for all mappings or for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.core.setting_table import MAPPING_OPTIONS, SETTINGS
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Peer, Upstream


@pytest.fixture(autouse=True)
def take_back(gateway: GatewayProcess) -> Iterator[None]:
    """No test leaves its settings to the others."""
    yield
    gateway.admin("PUT", "/api/settings", dict.fromkeys(SETTINGS))
    gateway.admin("PUT", "/api/mappings/up", {"options": {}})


def silent(peer: Peer) -> None:
    peer.read_request()
    peer.wait_closed()


def test_a_general_setting_is_listed_changed_and_taken_back(gateway: GatewayProcess) -> None:
    """Each setting is told with its value, default, unit, range and meaning; null takes a change back."""
    told = gateway.admin("GET", "/api/settings").json()["settings"]
    assert list(told) == list(SETTINGS)  # the order in which pages show them
    assert told["idle_timeout"] == {
        "value": 300.0,
        "set": False,
        "default": 300.0,
        "kind": "float",
        "minimum": 0.001,
        "maximum": 86400,
        "unit": "s",
        "whole": False,
        "group": "timeouts",
        "per_mapping": True,
        "per_channel": True,
        "meaning": SETTINGS["idle_timeout"].meaning,
    }
    assert gateway.admin("PUT", "/api/settings", {"idle_timeout": 7}).status == 200
    told = gateway.admin("GET", "/api/settings").json()["settings"]["idle_timeout"]
    assert (told["value"], told["set"], told["default"]) == (7.0, True, 300.0)
    assert gateway.admin("PUT", "/api/settings", {"idle_timeout": None}).status == 200
    assert gateway.admin("GET", "/api/settings").json()["settings"]["idle_timeout"]["value"] == 300.0


def test_choices_are_told_with_their_words(gateway: GatewayProcess) -> None:
    """Of each kind there is one: a page asks for it without knowing more."""
    told = gateway.admin("GET", "/api/settings").json()["settings"]
    assert {one["kind"] for one in told.values()} == {"int", "float", "bool", "text", "choice"}
    assert (told["affinity"]["kind"], told["affinity"]["choices"]) == ("choice", ["off", "ids", "ids_and_prefix"])
    assert (told["first_useful_timeout"]["per_mapping"], told["first_useful_timeout"]["per_channel"]) == (False, True)


def test_settings_are_reset_by_their_names(gateway: GatewayProcess) -> None:
    """Those that are named, of any kind, and no other; one that was not set stays as it is."""
    said = {"idle_timeout": 7, "affinity": "off", "time_zone": "Asia/Shanghai", "route_headers": False, "burst": 5}
    assert gateway.admin("PUT", "/api/settings", said).status == 200
    names = ["idle_timeout", "affinity", "time_zone", "route_headers", "max_attempts"]
    assert gateway.admin("POST", "/api/settings/reset", {"names": names}).status == 200
    told = gateway.admin("GET", "/api/settings").json()["settings"]
    assert {name: told[name]["value"] for name in names} == {name: SETTINGS[name].default for name in names}
    assert [name for name, one in told.items() if one["set"]] == ["burst"]


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"names": ["idle_timeout", "no_such"]}, "invalid", "names[1]"),
        ({"names": ["proxy_url"]}, "invalid", "names[0]"),
        ({"names": []}, "invalid", "names"),
        ({"names": "idle_timeout"}, "invalid", "names"),
        ({}, "invalid", "names"),
        ({"all": True}, "unknown_field", "all"),
    ],
)
def test_a_reset_of_what_is_no_setting_resets_nothing(
    gateway: GatewayProcess, body: object, code: str, field: str
) -> None:
    """It is a 400 that names what is to blame."""
    gateway.admin("PUT", "/api/settings", {"idle_timeout": 7})
    reply = gateway.admin("POST", "/api/settings/reset", body)
    assert (reply.status, reply.json()["code"], reply.json()["field"]) == (400, code, field)
    assert gateway.admin("GET", "/api/settings").json()["settings"]["idle_timeout"]["value"] == 7.0


def test_what_only_a_mapping_may_have_is_told_too(gateway: GatewayProcess) -> None:
    """Pages learn of it where they learn of the settings, and it is none of them: it cannot be set for all."""
    told = gateway.admin("GET", "/api/settings").json()["mapping_options"]
    assert told["proxy_url"] == {
        "kind": "text",
        "unit": "",
        "example": "http://user:password@proxy.example:3128",
        "meaning": MAPPING_OPTIONS["proxy_url"].meaning,
    }
    reply = gateway.admin("PUT", "/api/settings", {"proxy_url": "http://proxy.example:3128"})
    assert (reply.status, reply.json()["field"]) == (400, "proxy_url")


def test_a_general_setting_works_at_once(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A changed timeout holds for the next call."""
    upstream.handler = silent
    gateway.admin("PUT", "/api/settings", {"first_byte_timeout": 0.2})
    reply = gateway.request("GET", "/up/x")
    assert (reply.status, reply.json()["error"]["code"]) == (504, "first_byte_timeout")


def test_a_mappings_own_option_wins(gateway: GatewayProcess, upstream: Upstream) -> None:
    """An option of one mapping stands over the general setting, and leaves other mappings alone."""
    upstream.handler = silent
    gateway.admin("PUT", "/api/settings", {"first_byte_timeout": 60})
    reply = gateway.admin("PUT", "/api/mappings/up", {"options": {"first_byte_timeout": 0.2}})
    assert reply.json()["mapping"] == {"prefix": "/up", "options": {"first_byte_timeout": 0.2}}
    listed = gateway.admin("GET", "/api/mappings").json()
    assert listed["options"]["/up"] == {"first_byte_timeout": 0.2}
    assert listed["mappings"]["/up"] == upstream.url
    assert gateway.request("GET", "/up/x").status == 504


def test_options_stay_when_only_the_target_changes_and_go_with_the_mapping(
    gateway: GatewayProcess, upstream: Upstream
) -> None:
    """Changing a target keeps the options, an empty object takes them back, deleting the mapping deletes them."""
    own = {"prefix": "/options", "target": upstream.url, "options": {"idle_timeout": 9}}
    assert gateway.admin("POST", "/api/mappings", own).json().get("mapping") == own
    gateway.admin("PUT", "/api/mappings/options", {"target": f"{upstream.url}/v2"})
    assert gateway.admin("GET", "/api/mappings").json()["options"]["/options"] == {"idle_timeout": 9}
    gateway.admin("PUT", "/api/mappings/options", {"options": {}})
    assert "/options" not in gateway.admin("GET", "/api/mappings").json()["options"]
    gateway.admin("PUT", "/api/mappings/options", {"options": {"idle_timeout": 9}})
    gateway.admin("DELETE", "/api/mappings/options")
    gateway.map("/options", upstream.url)
    assert "/options" not in gateway.admin("GET", "/api/mappings").json()["options"]
    gateway.admin("DELETE", "/api/mappings/options")


@pytest.mark.parametrize(
    ("body", "says", "code", "field"),
    [
        ({"no_such": 1}, "no field", "unknown_field", "no_such"),
        ({"idle_timeout": 0}, "from 0.001", "invalid", "idle_timeout"),
        ([], "Invalid request body", "bad_json", None),
        ({}, "one or more", "invalid", None),
    ],
)
def test_bad_settings_are_refused(
    gateway: GatewayProcess, body: object, says: str, code: str, field: str | None
) -> None:
    """What cannot be a setting is a 400 that says what would do and which is to blame, and changes nothing."""
    reply = gateway.admin("PUT", "/api/settings", body)
    assert reply.status == 400
    assert says in reply.json()["error"]
    assert (reply.json()["code"], reply.json().get("field")) == (code, field)


@pytest.mark.parametrize(
    ("options", "code", "field"),
    [
        ({"global_burst": 1}, "unknown_field", "options.global_burst"),
        ({"max_concurrency": 1.5}, "invalid", "options.max_concurrency"),
        ("x", "invalid", "options"),
        ([], "invalid", "options"),
    ],
)
def test_bad_options_are_refused(
    gateway: GatewayProcess, upstream: Upstream, options: object, code: str, field: str
) -> None:
    """Options that a mapping cannot have are a 400 that names the one to blame by its path."""
    reply = gateway.admin("PUT", "/api/mappings/up", {"options": options})
    assert (reply.status, reply.json()["code"], reply.json()["field"]) == (400, code, field)
