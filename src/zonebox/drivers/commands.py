"""Runs a system program for a driver and says what went wrong. No shell, no retries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from zonebox.drivers.base import DriverError

Run = Callable[..., Awaitable[str]]
"""`await run(*argv, stdin="")`: what the program printed. Raises DriverError."""


async def run(*argv: str, stdin: str = "") -> str:
    """Run a program to its end.

    Raises:
        DriverError: it is not there, or ended with another status than 0.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise DriverError(
            f"program {argv[0]}: {error.strerror}; the driver needs it to start and stop guests; install it on this "
            "machine"
        ) from error
    output, errors = await process.communicate(stdin.encode())
    if process.returncode != 0:
        raise DriverError(
            f"{' '.join(argv)}: ended with status {process.returncode} ({errors.decode(errors='replace').strip()}); it "
            "must succeed for the guest to be as its template says; see whether this machine allows it (root, "
            "namespaces, mounts)"
        )
    return output.decode(errors="replace")
