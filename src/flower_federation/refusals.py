"""Which errors of other packages the `federation` command tells as its own. It prints nothing and forgives nothing.

An error that is not listed here is a mistake of this project's: its traceback is what its reporter should send.
"""

from __future__ import annotations

import subprocess

from components.errors import ComponentError, RefusalError
from flower_federation.errors import FederationError, InputError, ToolError, of_system
from flower_federation.operations_engine import CommandError, said_by
from pulumi_flower.errors import CallerError, FlowerError
from pulumi_opennebula.errors import MistakeError, OpenNebulaError


def refusal(error: BaseException) -> FederationError | None:
    """An error as one of the commands' own, with its four parts; None for what nobody foresaw.

    Args:
        error: Whatever a command raised.
    """
    if isinstance(error, FlowerError | OpenNebulaError):
        kind = InputError if isinstance(error, CallerError | MistakeError) else ToolError
        return kind(given=error.value, rule=error.rule, reason=error.reason, remedy=error.remedy)
    if isinstance(error, ComponentError):
        return _of_component(error)
    if isinstance(error, CommandError):
        return _of_engine(error)
    if isinstance(error, subprocess.SubprocessError):
        return _of_program(error)
    if isinstance(error, OSError):
        return of_system(error)
    return error if isinstance(error, FederationError) else None


def _of_component(error: ComponentError) -> InputError:
    if isinstance(error, RefusalError):
        return InputError(given=error.value, rule=error.rule, reason=error.reason, remedy=error.remedy)
    return InputError(
        given=str(error),
        rule="the stacks and the files beside them hold together",
        reason="what it says above",
        remedy="correct what it names and run again",
    )


def _of_program(error: subprocess.SubprocessError) -> ToolError:
    if isinstance(error, subprocess.TimeoutExpired):
        return ToolError(
            given=f"{error.cmd[0] if isinstance(error.cmd, list) else error.cmd}: not done after {error.timeout:.0f} s",
            rule="a program that this command starts ends in time",
            reason="nothing is waited for without end",
            remedy="see what else the machine is doing, and run it again",
        )
    return ToolError(
        given=str(error),
        rule="a program that this command starts ends with status 0",
        reason="what follows builds on it",
        remedy="run it by hand to see what it says; scripts/engine finds the engine anew, scripts/setup the rest",
    )


def _of_engine(error: CommandError) -> ToolError:
    return ToolError(
        given=f"pulumi failed, and says:\n{said_by(error)}",
        rule="the engine can read and write the stacks of its backend",
        reason="they know what exists, and everything that this command tells or changes",
        remedy="see that PULUMI_BACKEND_URL names the backend of these stacks and PULUMI_CONFIG_PASSPHRASE_FILE (or "
        "PULUMI_CONFIG_PASSPHRASE) their passphrase, and that no other command works on them: pulumi stack ls",
    )
