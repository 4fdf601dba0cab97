"""The `federation` command: finds the subcommands, runs one, and turns its errors into a message and an exit status.

A module that brings subcommands has a function `register(subparsers)` and is listed in `COMMANDS`; each parser that it
adds sets `handler`, a function from the parsed arguments to an exit status.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from flower_federation.errors import FederationError
from pulumi_flower.errors import FlowerError

COMMANDS = (
    "flower_federation.operations_cli",
    "flower_federation.rotation_cli",
    "flower_federation.upgrade_cli",
    "flower_federation.join_cli",
    "flower_federation.demo",
    "flower_federation.preview",
    "flower_federation.operations_image",
    "flower_federation.connect_cli",
    "flower_federation.certificate_cli",
    "flower_federation.audit_cli",
)
"""Modules with subcommands, in the order of the help text."""

INTERRUPTED = 130

DESCRIPTION = """\
Operate a Flower federation across OpenNebula zones: its Pulumi stacks, its nodes and its runs.

Every command can be repeated, and interrupted with Ctrl-C: what is under way is finished or undone, no lock is left.
Exit status: 0 done; 1 something is not as it should be; 2 a value that you can correct; 3 this machine lacks something;
4 a program that was started failed; 130 interrupted.
"""


def parser() -> argparse.ArgumentParser:
    """The command line, with every subcommand."""
    result = argparse.ArgumentParser(
        prog="federation", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    subparsers = result.add_subparsers(required=True, metavar="COMMAND")
    for name in COMMANDS:
        importlib.import_module(name).register(subparsers)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `federation`."""
    arguments = parser().parse_args(argv)
    # A service manager or a CI job stops with SIGTERM; it deserves the same care as Ctrl-C.
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        return int(arguments.handler(arguments))
    except FederationError as error:
        print(f"federation: {error}", file=sys.stderr)
        return error.exit_code
    except FlowerError as error:
        print(f"federation: {error}", file=sys.stderr)
        return 4
    except KeyboardInterrupt:
        print("\nfederation: stopped; run it again to go on where it was", file=sys.stderr)
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
