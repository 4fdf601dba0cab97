"""What the scripts refuse, and how they say so. Holds no recovery logic: a caller prints the text and exits.

    FederationError                 root; every message has four parts
    |-- InputError                  exit 2: an option, a file or a variable that the caller can change
    |-- MachineError                exit 3: this machine lacks something (Python, the engine, a Go compiler)
    |   `-- ReleaseUnavailableError the vendor's release cannot be had here; engine.py goes on to the next way
    `-- ToolError                   exit 4: a program that a script started failed or took too long

Standard library only: scripts/setup imports this before any environment exists.
"""

from __future__ import annotations


class FederationError(Exception):
    """Root of the package's errors.

    Args:
        given: The value or situation that was met, as the caller would recognise it.
        rule: What was required instead.
        reason: Why that is required.
        remedy: What to change, and where.
    """

    exit_code = 1

    def __init__(self, *, given: str, rule: str, reason: str, remedy: str) -> None:
        super().__init__(f"{given}\n  rule:   {rule}\n  reason: {reason}\n  remedy: {remedy}")
        self.given = given
        self.rule = rule
        self.reason = reason
        self.remedy = remedy


class InputError(FederationError):
    """The caller gave something that cannot be used; nothing was changed."""

    exit_code = 2


class MachineError(FederationError):
    """This machine lacks something that the project needs and cannot bring along by itself."""

    exit_code = 3


class ReleaseUnavailableError(MachineError):
    """The vendor's release did not come, or is not the one that was pinned."""


class ToolError(FederationError):
    """A program that a script started ended with an error, or not in time."""

    exit_code = 4
