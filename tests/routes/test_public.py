"""What anybody may see."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest
from flask import Flask

from app.routes.public import PageFiles
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream


def test_robots_are_forbidden_everything(gateway: GatewayProcess) -> None:
    """robots.txt forbids all."""
    reply = gateway.request("GET", "/robots.txt")
    assert (reply.status, reply.body) == (200, b"User-agent: *\nDisallow: /\n")


@pytest.mark.parametrize("path", ["/", "/index.html", "/admin", "/static/admin.html"])
def test_pages_have_a_strict_policy(gateway: GatewayProcess, path: str) -> None:
    """Each page is HTML under a policy that allows no inline script, no eval and no other host."""
    reply = gateway.request("GET", path)
    policy = reply.field("content-security-policy") or ""
    assert (reply.status, (reply.field("content-type") or "")[:9]) == (200, "text/html")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_head_of_the_root_is_answered(gateway: GatewayProcess) -> None:
    """Claude Code probes with HEAD /."""
    reply = gateway.request("HEAD", "/")
    assert (reply.status, reply.body) == (200, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app/config.py",
        "/static/%2e%2e/app/config.py",
        "/static//etc/passwd",
        "/static/~0/../../app/config.py",
        "/static/~0//etc/passwd",
        "/static/~0",
    ],
)
def test_only_the_pages_files_are_served(gateway: GatewayProcess, path: str) -> None:
    """No path leads out of the pages' folder."""
    assert gateway.request("GET", path).status == 404


@pytest.mark.parametrize("page", ["/", "/admin"])
def test_what_a_page_names_is_kept_for_good(gateway: GatewayProcess, page: str) -> None:
    """Its scripts and styles stand at addresses of their own content; another's, or none's, is asked for each time."""
    named = re.findall(r'"/static/(~\w+)/([^"]+)"', gateway.request("GET", page).body.decode())
    assert len(named) > 5
    for content, name in named:
        for_good = gateway.request("GET", f"/static/{content}/{name}")
        assert (for_good.status, for_good.field("cache-control")) == (200, "public, max-age=31536000, immutable")
        for address in (f"/static/{name}", f"/static/~{'0' * 16}/{name}"):
            asked = gateway.request("GET", address)
            assert (asked.status, asked.field("cache-control"), asked.body) == (200, "no-cache", for_good.body)
    again = {"If-None-Match": gateway.request("GET", page).field("etag") or ""}
    assert gateway.request("GET", page, headers=again).status == 304


def test_an_address_of_the_pages_files_changes_with_each(tmp_path: Path) -> None:
    """With what one holds, where it stands and what it is called; a file that changed later is not kept under it."""
    (tmp_path / "js").mkdir()
    file, seen = tmp_path / "js" / "a.js", set()
    for content in ("1", "2"):
        file.write_text(content)
        seen.add(PageFiles(tmp_path).version)
    seen.add(PageFiles(tmp_path).version)
    for other in (tmp_path / "js" / "b.js", tmp_path / "b.js"):
        file = file.rename(other)
        seen.add(PageFiles(tmp_path).version)
    assert len(seen) == 4
    files = PageFiles(tmp_path)
    with Flask(__name__).test_request_context():
        for ago_s, kept in ((5, "public, max-age=31536000, immutable"), (-5, "no-cache")):
            os.utime(file, (time.time() - ago_s,) * 2)
            answer = files.file(f"{files.version}/b.js")
            assert answer.headers["Cache-Control"] == kept
            answer.close()


def test_no_mapping_is_a_404_with_a_hint(gateway: GatewayProcess) -> None:
    """A path that nothing leads gives the error shape and says what to do; its text holds no query."""
    reply = gateway.request("POST", "/nowhere/v1?key=secret", b"{}")
    error = reply.json()["error"]
    assert (reply.status, error["code"], error["type"]) == (404, "mapping_not_found", "invalid_request_error")
    assert "/nowhere/v1" in error["message"]
    assert "POST /api/mappings" in error["message"]
    assert b"secret" not in reply.body
    assert error["request_id"] == reply.field("x-request-id")


def test_wrong_method_on_our_own_path(gateway: GatewayProcess) -> None:
    """Our own paths answer wrong methods in the same shape."""
    reply = gateway.request("PATCH", "/stats")
    assert (reply.status, set(reply.json())) == (405, {"error"})


def test_health_counts_the_mappings(gateway: GatewayProcess, upstream: Upstream) -> None:
    """/health says that Redis answers and how many mappings stand."""
    reply = gateway.request("GET", "/health")
    report = reply.json()
    assert reply.status == 200
    assert report["redis"] is True
    assert report["mappings"] == gateway.admin("GET", "/api/mappings").json()["count"]
