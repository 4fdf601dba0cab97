"""`python -m flower_appliance.audit_run`: the audit service as a process. No logic of its own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from flower_appliance.audit import AuditService
from flower_appliance.audit_file import AuditFile


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m flower_appliance.audit_run", description=__doc__)
    for name, meaning in (
        ("chain", "the audit: JSON lines, chained"),
        ("head", "file that holds the chain's head"),
        ("gateway-log", "the gateway's log of the Control port"),
        ("events-log", "what the appliance writes"),
    ):
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="FILE", help=meaning)
    parser.add_argument("--host", required=True, help="where the gateway's questions are answered")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--federation", required=True, help="organization in the certificates' subjects")
    arguments = parser.parse_args(argv)
    try:
        asyncio.run(_serve(arguments))
    except OSError as error:
        print(f"the audit stops, and is started again: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(arguments: argparse.Namespace) -> None:
    file = AuditFile(arguments.chain, head_path=arguments.head, now=_now)
    service = AuditService(
        file,
        federation=arguments.federation,
        gateway_log=arguments.gateway_log,
        events_log=arguments.events_log,
        now=_now,
        show=lambda line: print(line, flush=True),
    )
    running = asyncio.ensure_future(service.run(arguments.host, arguments.port))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await running
        # What the gateway wrote while it ended is in the audit before this process ends.
        service.catch_up()
    finally:
        file.close()


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
