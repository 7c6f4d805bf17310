"""Compiles the hot path to machine code: the sources stay what they are, and a small call costs about half.

mypyc (https://mypyc.readthedocs.io) makes C of the typed sources, the system's C compiler makes an extension module of
that. `make compile` runs this. app/compiled.py uses the result, in every process that starts afterwards, as long as
the sources do not change.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from app.compiled import COPIES, copy_of_sources  # noqa: E402

HOT_PATH = """
app/core/callers/access.py
app/core/callers/permissions.py
app/core/channels/keys.py
app/core/channels/urls.py
app/core/choosing/affinity.py
app/core/choosing/exclusions.py
app/core/choosing/failover.py
app/core/choosing/matching.py
app/core/choosing/repeats.py
app/core/choosing/selection.py
app/core/choosing/standing.py
app/core/choosing/wheel.py
app/core/judging/outcome.py
app/core/judging/troubles.py
app/core/model.py
app/core/money/budget.py
app/core/money/reservation.py
app/core/money/amounts.py
app/core/money/cost.py
app/core/money/prices.py
app/core/patterns.py
app/core/proxy_redirect.py
app/core/request_log/making.py
app/core/request_log/traits.py
app/core/routing.py
app/core/settings.py
app/core/statistics/events.py
app/core/statistics/outcomes.py
app/core/statistics/sums/cells.py
app/core/statistics/tallies.py
app/core/statistics/windows.py
app/core/usage.py
app/proxy/admission.py
app/proxy/api/affinity.py
app/proxy/api/attempts.py
app/proxy/api/calls.py
app/proxy/api/choices.py
app/proxy/api/extra_chunk.py
app/proxy/api/holding.py
app/proxy/api/id_stage.py
app/proxy/api/looking.py
app/proxy/api/patience.py
app/proxy/api/read_request.py
app/proxy/api/repeated.py
app/proxy/api/request.py
app/proxy/api/served.py
app/proxy/api/stage.py
app/proxy/api/told.py
app/proxy/attempt.py
app/proxy/call.py
app/proxy/tokens/budget_admission.py
app/proxy/tokens/callers.py
app/proxy/client_watch.py
app/proxy/engine.py
app/proxy/held_body.py
app/proxy/messages.py
app/proxy/metering.py
app/proxy/relay.py
app/proxy/tokens/admission.py
app/proxy/upstream/answer_body.py
app/proxy/upstream/answer_head.py
app/proxy/upstream/exchange.py
app/proxy/upstream/faults.py
app/proxy/upstream/incoming.py
app/proxy/upstream/pool.py
app/proxy/upstream/transport.py
app/proxy/upstream/uploading.py
app/routes/api_door.py
app/routes/cors.py
app/routes/inbound.py
app/routes/kept_bodies.py
app/routes/own_credentials.py
app/routes/proxy.py
app/routes/wsgi_environ.py
app/servers/body.py
app/servers/connection.py
app/servers/framing.py
app/storage/affinity/conversations.py
app/storage/budgets/account.py
app/storage/budgets/budgets.py
app/storage/costs/costs.py
app/storage/health/channel.py
app/storage/health/observed.py
app/storage/health/subjects.py
app/storage/journal.py
app/storage/keys/parts/classes.py
app/storage/keys/parts/packed.py
app/storage/keys/parts/rests.py
app/storage/keys/parts/rounds.py
app/storage/keys/parts/rows.py
app/storage/keys/parts/texts.py
app/storage/keys/parts/untils.py
app/storage/keys/pool.py
app/storage/keys/pools.py
app/storage/request_log/booking.py
app/storage/request_log/bundles.py
app/storage/secrets.py
app/storage/statistics/envelopes.py
app/telemetry/log_sink.py
app/telemetry/logs.py
app/telemetry/recorder.py
app/waiting.py
app/wire/bodies/forms.py
app/wire/bodies/images.py
app/wire/bodies/members.py
app/wire/bodies/reading.py
app/wire/bodies/rules.py
app/wire/bodies/splice.py
app/wire/bodies/top_level.py
app/wire/bounded.py
app/wire/browsers.py
app/wire/dialects/anthropic.py
app/wire/dialects/asked.py
app/wire/dialects/credentials.py
app/wire/dialects/dialect.py
app/wire/dialects/gemini.py
app/wire/dialects/mapped.py
app/wire/dialects/observers.py
app/wire/dialects/openai.py
app/wire/dialects/output_limits.py
app/wire/dialects/responses.py
app/wire/dialects/upstream_path.py
app/wire/given_ids.py
app/wire/http/caller_deadlines.py
app/wire/http/caller_tries.py
app/wire/http/chunked.py
app/wire/http/forwarded.py
app/wire/http/headers.py
app/wire/http/http1.py
app/wire/http/lenient.py
app/wire/http/trace.py
app/wire/json_array.py
app/wire/sse.py
app/wire/usage/anthropic.py
app/wire/usage/counts.py
app/wire/usage/extra_chunk.py
app/wire/usage/gemini.py
app/wire/usage/meter.py
app/wire/usage/openai.py
app/wire/usage/text.py
""".split()
"""What runs for each request, in web processes and the worker. None of it extends classes of gunicorn and gevent, which
mypyc cannot see."""

UNALIGNED = ["-fno-align-functions", "-fno-align-jumps", "-fno-align-labels", "-fno-align-loops"]
"""Room between pieces of code makes no call faster, and all of it larger by a twelfth."""

LEFT_OUT = {
    "app/core/errors.py": "an exception or none; a call that goes well makes one at most, for a timer",
    "app/storage/limits/channels.py": "a comparison for channels without limits; for others see slots.py",
    "app/storage/limits/leases.py": "the bookkeeping of slots.py",
    "app/storage/limits/minutes.py": "attempts with a limit only; see slots.py",
    "app/storage/limits/places.py": "room for calls with a limit; see slots.py",
    "app/storage/limits/rates.py": "calls with a limit only, and then locks; it talks to redis-py, which has no types",
    "app/storage/limits/slots.py": "calls with a limit only, and then locks; it talks to redis-py, which has no types",
    "app/wire/transforms.py": "for the one route that edits bodies: what costs there is JSON, read in C",
}
"""What calls pass all the same, and why it is not compiled."""


def main() -> int:
    """0 when the compiled copy is there, 1 when it cannot be made; standard error says why."""
    argparse.ArgumentParser(description="Compiles the hot path.").parse_args()
    copy = copy_of_sources()
    if copy.is_dir():
        print("The hot path is compiled already.")
        return 0
    missing = _missing()
    if missing:
        print(f"Cannot compile the hot path: {missing}. The gateway runs all the same, interpreted.", file=sys.stderr)
        return 1
    print("Compiling the hot path ...", flush=True)
    began_s = perf_counter()
    COPIES.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=COPIES.parent) as scratch:
        _compile(Path(scratch))
        for old in COPIES.iterdir():
            old.rename(Path(scratch) / f"old-{old.name}")  # what stands under its name is whole, whenever this ends
        (Path(scratch) / "copy").rename(copy)
    print(f"Compiled in {perf_counter() - began_s:.0f} s. It is used from the next start on.")
    return 0


def _missing() -> str:
    if lack := lacks_compiler():
        return lack
    return "mypy is not installed (`make compile` installs it)" if find_spec("mypyc") is None else ""


def lacks_compiler() -> str:
    """What of the system is missing to compile, and where it comes from; empty when nothing is."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(os.environ.get("CC", compiler).split()[0]) is None:
        return "there is no C compiler (on Debian and Ubuntu: apt-get install gcc)"
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        return "Python's own header files are not here (on Debian and Ubuntu: apt-get install python3-dev)"
    return ""


def _compile(scratch: Path) -> None:
    from mypyc.build import mypycify
    from setuptools import Distribution
    from setuptools.command.build_ext import build_ext

    class WithoutWarnings(build_ext):
        """Python's own options ask for warnings, and to look for them in what mypyc made takes most of the time."""

        def build_extensions(self) -> None:
            self.compiler.compiler_so = [option for option in self.compiler.compiler_so if option != "-Wall"]
            super().build_extensions()

    os.chdir(ROOT)  # mypy reads its settings here
    modules = mypycify(HOT_PATH, opt_level="2", debug_level="0", group_name="app", target_dir=str(scratch / "c"))
    for module in modules:  # each web process holds what it touches of the result, so it is kept small
        module.extra_compile_args += ["-fvisibility=hidden", "-fno-plt", *UNALIGNED]
        if sys.platform == "linux":
            module.extra_link_args.append("-Wl,-z,pack-relative-relocs")
    distribution = Distribution({"name": "app", "ext_modules": modules})
    command = WithoutWarnings(distribution)
    command.build_lib, command.build_temp = str(scratch / "copy"), str(scratch / "objects")
    command.ensure_finalized()
    command.run()


if __name__ == "__main__":
    sys.exit(main())
