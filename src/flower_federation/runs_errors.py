"""How a run can go wrong; branches of the tree in errors.py.

ToolError
└── RunError              a run that did not complete
    ├── SubmitError       it never started: the CLI or the SuperLink refused the app
    ├── RunFailedError    it ended, but not as finished:completed
    └── RunTimeoutError   it was stopped, because it took longer than it was given
"""

from __future__ import annotations

from flower_federation.errors import ToolError


class RunError(ToolError):
    """A run that did not complete."""


class SubmitError(RunError):
    """The run never started: the CLI or the SuperLink refused the app."""


class RunFailedError(RunError):
    """The run ended, but not as finished:completed."""


class RunTimeoutError(RunError):
    """The run was stopped, because it took longer than it was given."""
