"""What the components and the program raise. Holds no logic but the layout of a message.

ComponentError             the root; a pulumi.RunError, so that the engine prints it without a traceback
├── RefusalError           one value that a rule forbids: the caller's fault, nothing was changed
├── SeveralRefusalsError   all refusals of a stack's settings, shown together
└── StackReadError         another stack's outputs could not be read: the backend's fault
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi


class ComponentError(pulumi.RunError):
    """Root of everything that `components` and `infra` raise on purpose."""


class RefusalError(ComponentError):
    """A value that a rule forbids, found before anything is changed.

    Args:
        value: What was given, with the name it was given under.
        rule: What holds for it.
        reason: Why the rule exists.
        remedy: What to change, and where.
    """

    def __init__(self, *, value: str, rule: str, reason: str, remedy: str) -> None:
        self.value = value
        self.rule = rule
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"{value}\n  rule:   {rule}\n  reason: {reason}\n  remedy: {remedy}")


class SeveralRefusalsError(ComponentError):
    """Every refusal of one stack, so that nobody corrects them one run at a time.

    Args:
        title: What was checked.
        refusals: At least one.
    """

    def __init__(self, title: str, refusals: Sequence[RefusalError]) -> None:
        self.refusals = tuple(refusals)
        count = "1 value is refused" if len(self.refusals) == 1 else f"{len(self.refusals)} values are refused"
        super().__init__("\n".join([f"{title}: {count}, nothing was changed", *(str(r) for r in self.refusals)]))


class StackReadError(ComponentError):
    """The backend failed while it read another stack; a stack that does not exist is no error.

    Args:
        stack: Full name of the stack.
        cause: What the engine said.
    """

    def __init__(self, stack: str, cause: str) -> None:
        super().__init__(
            f"stack {stack}: its outputs could not be read\n"
            f"  rule:   both stacks lie in the backend that this command uses\n"
            f"  reason: the engine said: {cause}\n"
            f"  remedy: check PULUMI_BACKEND_URL and that the backend answers (pulumi stack ls --all), then run again"
        )
