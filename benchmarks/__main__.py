"""`python -m benchmarks [--quick] [--only small,sse]`: measures, prints the table, writes it to benchmarks/results/."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks.bench import FULL, QUICK, Bench
from benchmarks.cases import CASES
from benchmarks.contenders import Missing
from benchmarks.loads import LoadError
from benchmarks.plot import plot
from benchmarks.processes import Cores, machine, raise_file_limit, running
from benchmarks.table import Section, render

RESULTS = Path(__file__).resolve().parent / "results"


def main() -> int:
    """The command. Returns 1 when a case broke off."""
    arguments = _arguments()
    if not sys.platform.startswith("linux"):
        print("the benchmarks read the kernel's accounting from /proc, so they need Linux", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what we started ends with us
    raise_file_limit()
    about = machine()
    cores = Cores.split()
    os.sched_setaffinity(0, cores.load)
    load = os.getloadavg()[0]
    began = time.monotonic()
    sections = [_run(name, Bench(cores, QUICK if arguments.quick else FULL)) for name in arguments.only]
    about |= {"load_before": round(load, 2), "seconds": round(time.monotonic() - began)}
    text = render(sections)
    print(f"\n{text}\n\n{_about_text(about)}")
    whole = len(sections) == len(CASES)
    _write("partial" if not whole else "quick" if arguments.quick else "full", sections, about, text)
    if whole and not arguments.quick:
        print("\nStatistics, off the request path:", flush=True)
        with running([sys.executable, "-m", "benchmarks.stats_read"], cores.load, quiet=False) as process:
            process.wait(300)
    return 1 if any(section.skipped.startswith("broke off") for section in sections) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about three minutes instead of seven; noisier")
    parser.add_argument("--only", type=_names, default=list(CASES), help=f"some of {','.join(CASES)}")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in CASES]:
        raise argparse.ArgumentTypeError(f"no case {unknown[0]!r}; there are {', '.join(CASES)}")
    return names


def _run(name: str, bench: Bench) -> Section:
    print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
    began = time.monotonic()
    try:
        section = CASES[name](bench)
    except Missing as missing:
        section = Section(name, name, skipped=str(missing))
    except (LoadError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        section = Section(name, name, skipped=f"broke off: {error}")
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return section


def _about_text(about: dict[str, str | int | float]) -> str:
    warning = "" if float(about["load_before"]) < 0.5 else "; others were using the machine"
    return (
        f"{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}, Python {about['python']}; "
        f"hot path {about['hot_path']}; server on one core, load and upstream on the rest; "
        f"{about['seconds']} s{warning}"
    )


def _write(name: str, sections: list[Section], about: dict[str, str | int | float], text: str) -> None:
    """Keeps the figures as JSON, the table as text and the plot as SVG."""
    RESULTS.mkdir(exist_ok=True)
    rows = [asdict(section) for section in sections]
    for section, told in zip(sections, rows, strict=True):
        for row, row_told in zip(section.rows, told["rows"], strict=True):
            row_told["verdict"] = row.verdict
    document = {"measured_on": about, "sections": rows}
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    (RESULTS / f"{name}.txt").write_text(f"{text}\n\n{_about_text(about)}\n")
    (RESULTS / f"{name}.svg").write_text(plot(sections, _about_text(about)))


if __name__ == "__main__":
    sys.exit(main())
