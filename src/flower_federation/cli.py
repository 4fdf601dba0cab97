"""The `federation` command: finds the subcommands, runs one, and turns its errors into a message and an exit status.

A module that brings subcommands has a function `register(subparsers)` and is listed in `COMMANDS`; each parser that it
adds sets `handler`, a function from the parsed arguments to an exit status.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import select
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from flower_federation.errors import FederationError, InputError
from flower_federation.processes import requests_to_end

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
READER_GONE = 141
"""As of a program that SIGPIPE ended: what read standard output has closed it, such as `head`."""

DESCRIPTION = """\
Operate a Flower federation across OpenNebula zones: its Pulumi stacks, its nodes and its runs.

Every command can be repeated, and interrupted with Ctrl-C: what is under way is finished or undone, no lock is left.
Exit status: 0 done; 1 something is not as it should be; 2 a value that you can correct; 3 this machine lacks something;
4 a program that was started failed; 130 interrupted. With --json an error is JSON on standard output, too:
{"error": {"given", "rule", "reason", "remedy", "exit_status"}}.
"""


class StoppedError(FederationError):
    """Ctrl-C, or the request to end of a service manager, a CI job or a terminal that closes."""

    exit_code = INTERRUPTED


class Parser(argparse.ArgumentParser):
    """A command line whose mistakes are told like every other one, in JSON where that was asked for."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print.

        Raises:
            InputError: Always.
        """
        self.print_usage(sys.stderr)
        raise InputError(
            given=message,
            rule="a command line is as the usage says",
            reason="nothing is guessed where stacks and keys are changed",
            remedy=f"correct it; {self.prog} --help explains each argument",
        )


def parser() -> argparse.ArgumentParser:
    """The command line, with every subcommand."""
    result = Parser(prog="federation", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    subparsers = result.add_subparsers(required=True, metavar="COMMAND")
    for name in COMMANDS:
        importlib.import_module(name).register(subparsers)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `federation`."""
    words = sys.argv[1:] if argv is None else argv
    with requests_to_end():
        try:
            return _carry_out(words)
        except KeyboardInterrupt:
            return _tell(
                StoppedError(
                    given="stopped",
                    rule="an interrupted command leaves no lock and no half-written file",
                    reason="it can be interrupted at any moment",
                    remedy="run it again to go on where it was",
                ),
                words,
                "\nfederation: stopped; run it again to go on where it was",
            )


def _carry_out(words: Sequence[str]) -> int:
    try:
        arguments = parser().parse_args(words)
        status = int(arguments.handler(arguments))
        sys.stdout.flush()
        return status
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _reader_gone():
            return READER_GONE
        # Imported here: it needs the engine's SDK, and a Ctrl-C while that is read is an interrupt like any other.
        from flower_federation.refusals import refusal  # noqa: PLC0415

        told = refusal(error)
        if told is None:
            raise
        return _tell(told, words, f"federation: {told}")


def _tell(error: FederationError, words: Sequence[str], text: str) -> int:
    print(text, file=sys.stderr)
    if "--json" in words:
        try:
            print(json.dumps(error.document()), flush=True)
        except BrokenPipeError:
            _reader_gone()
    return error.exit_code


def _reader_gone() -> bool:
    """Whether standard output is a pipe that nobody reads; if so, what is left of it goes nowhere."""
    with suppress(OSError, ValueError):
        descriptor = sys.stdout.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        if any(event & select.POLLERR for _, event in poll.poll(0)):
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
            return True
    return False


if __name__ == "__main__":
    sys.exit(main())
