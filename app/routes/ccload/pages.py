"""Addresses of ccLoad's pages, as they stand in bookmarks: each leads to the page that has what it had."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, abort

ADMIN: Final = "/admin"
PAGES: Final = {
    "": ADMIN,
    "index.html": "/",
    "trend.html": "/",
    "stats.html": "/",
    "login.html": ADMIN,
    "channels.html": f"{ADMIN}#/channels",
    "model-test.html": f"{ADMIN}#/channels",
    "tokens.html": f"{ADMIN}#/tokens",
    "logs.html": f"{ADMIN}#/logs",
    "settings.html": f"{ADMIN}#/settings",
}


def add_page_routes(ccload: Blueprint) -> None:
    @ccload.get("/web")
    @ccload.get("/web/")
    @ccload.get("/web/<page>")
    def page(page: str = "") -> Response:
        """One that nobody knows, such as of a later version, leads to the admin's first page."""
        if page and not page.endswith(".html"):
            abort(404)
        return Response(status=302, headers={"Location": PAGES.get(page, ADMIN)})
