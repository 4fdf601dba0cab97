"""What the scripts refuse, and how they say so. Holds no recovery logic: a caller prints the text and exits.

    FederationError                 root; every message has four parts
    |-- InputError                  exit 2: an option, a file or a variable that the caller can change
    |-- MachineError                exit 3: this machine lacks something (Python, the engine, a Go compiler)
    |   `-- ReleaseUnavailableError the vendor's release cannot be had here; engine.py goes on to the next way
    `-- ToolError                   exit 4: a program that a script started failed or took too long

Standard library only: scripts/setup imports this before any environment exists.
"""

from __future__ import annotations

import errno

from flower_federation.plain import plain


class FederationError(Exception):
    """Root of the package's errors. Its parts are plain text, whoever wrote what they quote.

    Args:
        given: The value or situation that was met, as the caller would recognise it.
        rule: What was required instead.
        reason: Why that is required.
        remedy: What to change, and where.
    """

    exit_code = 1

    def __init__(self, *, given: str, rule: str, reason: str, remedy: str) -> None:
        self.given, self.rule, self.reason, self.remedy = map(plain, (given, rule, reason, remedy))
        super().__init__(f"{self.given}\n  rule:   {self.rule}\n  reason: {self.reason}\n  remedy: {self.remedy}")

    def document(self) -> dict[str, dict[str, str | int]]:
        """The error for `--json`: its parts by name, and the exit status."""
        parts = {"given": self.given, "rule": self.rule, "reason": self.reason, "remedy": self.remedy}
        return {"error": {**parts, "exit_status": self.exit_code}}


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


def of_system(error: OSError) -> MachineError:
    """What the operating system refused, such as a file that cannot be written, as an error of the scripts.

    Args:
        error: As Python raised it.
    """
    what = error.strerror or str(error) or type(error).__name__
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        remedy = "free some space there, and run it again: it goes on where it was"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        remedy = "see who owns it (ls -ld) and whether its file system is mounted read-only; run it again as its owner"
    else:
        remedy = "see that it is there and what it should be, and run it again"
    return MachineError(
        given=f"{error.filename}: {what}" if error.filename is not None else what,
        rule="this command can read and write its files, and start its programs",
        reason="the operating system refused it",
        remedy=remedy,
    )
