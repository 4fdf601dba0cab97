"""Every way in which this package refuses or fails. Nothing here retries, logs or publishes.

ApplianceError
|-- ContextError          the CONTEXT itself is wrong: only its author can heal it (all problems, collected)
|   `-- ContextSyntaxError  context.sh is not a list of quoted assignments
|-- PlanError             the CONTEXT is well formed, but does not fit this machine
|-- DatabaseError           the SuperLink's database is not one that this version starts on (database.py)
|-- NodeKeyError            the node key on disk cannot be used
|-- ImageError              the process image document cannot be made from this environment
`-- OneGateError            OneGate did not take or give what was asked
    `-- OneGateRefusedError      ... and asking again will not help (401, 403, 400)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One refusal in four parts, so that its reader can act without reading code."""

    given: str
    """What was given, with its name; a secret value is described, never shown."""
    rule: str
    """What it must be."""
    reason: str
    """Why that is so."""
    remedy: str
    """What to change, and where."""

    def __str__(self) -> str:
        return f"{self.given}: {self.rule}. {self.reason}. {self.remedy}."


class ApplianceError(Exception):
    """Root of everything that this package raises on purpose."""


class ContextError(ApplianceError):
    """The CONTEXT is refused; `problems` holds every reason that was found, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ContextSyntaxError(ContextError):
    """context.sh holds something else than quoted assignments."""


class PlanError(ApplianceError):
    """The CONTEXT does not fit the machine that it was given to."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class NodeKeyError(ApplianceError):
    """The node's private key exists but is not an EC key in OpenSSH format."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


class ImageError(ApplianceError):
    """The environment lacks what the image's command needs."""


class OneGateError(ApplianceError):
    """OneGate did not answer, or answered with something that it should not; a later try may work."""


class OneGateRefusedError(OneGateError):
    """OneGate answered and will answer the same again: wrong token, wrong VM, malformed request."""
