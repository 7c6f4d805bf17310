"""`python -m scripts.demo`: a gateway with 30 days of believable calls, to look at; `--pictures` makes README's of it.

It has a data directory of its own, which goes with it, and a provider of its own that answers from this machine.
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

from scripts.demo.gateway import DemoGateway
from scripts.demo.house import furnish
from scripts.demo.traffic import traffic
from scripts.demo.upstream import start_upstream


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.demo", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--port", type=int, default=0, help="where it listens (any)")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--calls", type=int, default=4_000, help="of each day")
    parser.add_argument("--pictures", type=Path, help="write README's pictures into this folder, and end")
    said = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # which ends the gateway, too
    with tempfile.TemporaryDirectory(prefix="demo-of-the-gateway-") as folder:
        gateway = DemoGateway(Path(folder) / "data", said.port or _free_port())
        try:
            house = furnish(gateway.say, start_upstream())
            _keep_logs(gateway)
            until_ms, begun = time.time_ns() // 1_000_000, time.monotonic()
            many = gateway.remember(traffic(house, until_ms, said.days, said.calls))
            print(f"{many:,} calls of {said.days} days were booked in {time.monotonic() - begun:.0f} s")
            if said.pictures is not None:
                from scripts.demo.pictures import take

                take(gateway, house, said.pictures)
                return
            print(f"{gateway.url}/admin with the token {gateway.admin_token}; Ctrl-C ends it", flush=True)
            gateway.wait()
        except KeyboardInterrupt:
            pass
        finally:
            gateway.stop()


def _keep_logs(gateway: DemoGateway) -> None:
    """For as long as the calls of the demo go back."""
    known = gateway.say("GET", "/api/settings")["settings"]
    if said := {name: -1 for name in ("log_retention_days",) if name in known}:
        gateway.say("PUT", "/api/settings", said)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    main()
