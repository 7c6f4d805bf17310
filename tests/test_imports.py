"""What each process does without at its start: memory for as long as it runs, and time at each start of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from app.compiled import COPIES
from tests.support.environ import clean_environ

ALL = "alembic cryptography.hazmat genai_prices http.cookiejar redis.asyncio.client requests sqlalchemy unittest"
UNPATCHED = "asyncio gevent redis ssl"
PROCESSES = {
    "the supervisor": ("import app.__main__", f"{UNPATCHED} decimal email flask gunicorn hashlib http.client rq"),
    "gunicorn's master": ("import runpy; runpy.run_path('gunicorn.conf.py')", f"{UNPATCHED} decimal flask rq"),
    "the worker": ("import worker.__main__", "flask gevent gunicorn"),
    "a web process": (
        "import app.servers.gunicorn_worker, app.gateway, app.routes",
        "ada_url app.wire.pages.css app.wire.pages.html.page argparse backports brotli compression rq",
    ),
}


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_imports_what_it_needs_from_the_first_moment(process: str) -> None:
    """What only some deployments or calls need is imported when they do."""
    imports, without = PROCESSES[process]
    script = f"{imports}; import sys; print(*sorted({{*{f'{ALL} {without}'.split()}}} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", script], env=clean_environ(), check=True, capture_output=True, text=True
    )
    looked_for_a_copy = ["hashlib"] if "hashlib" in without and COPIES.is_dir() else []
    assert done.stdout.split() == looked_for_a_copy


def test_gevent_patches_without_reading_what_all_packages_say_of_themselves() -> None:
    script = (
        "from importlib import metadata\n"
        "del metadata.entry_points\n"
        "from app.unpatched import patch_all\n"
        "patch_all()\n"
        "import socket, gevent.socket\n"
        "assert socket.socket is gevent.socket.socket\n"
    )
    subprocess.run([sys.executable, "-c", script], env=clean_environ(), check=True)


def test_what_rewrites_pages_is_imported_with_the_first_and_in_steps() -> None:
    """So no call beside that page waits for all of it, nor any later one for the collector to look at it."""
    script = (
        "import gc, sys\n"
        "from app.proxy import web_page\n"
        "from app.wire.pages.rewriting import PARTS\n"
        "loaded = []\n"
        "web_page.give_way = lambda: loaded.append({name for name in sys.modules if 'app.wire.pages' in name})\n"
        "before = gc.get_freeze_count()\n"
        "web_page.load_rewriters()\n"
        "frozen = gc.get_freeze_count()\n"
        "web_page.load_rewriters()\n"
        "assert gc.get_freeze_count() == frozen > before + 1000\n"
        "assert 'app.wire.pages.html.page' in loaded[-1] - loaded[0]\n"
        "assert len(loaded) == len(PARTS)\n"
        "assert all(len(after - before) < 8 for before, after in zip(loaded, loaded[1:]))\n"
    )
    subprocess.run([sys.executable, "-c", script], env=clean_environ(), check=True)
