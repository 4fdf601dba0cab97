"""Reading another stack's outputs, as plain values and before any resource is declared. It never reads secrets.

`pulumi.StackReference` makes the engine fail the whole program where the stack does not exist, and hands out values
that are known only later. The engine's builtin `pulumi:pulumi:readStackOutputs` reads the same outputs by the same way,
answers at once, and its failure can be caught; see docs/decisions/stack-references.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import pulumi

from components.errors import RefusalError, StackReadError

_TOKEN = "pulumi:pulumi:readStackOutputs"  # noqa: S105  a function's token, not a credential
# What engine 3.259.0 says of a stack that its backend does not have (2026-11-24, file backend).
_MISSING = "unknown stack"
# How its answer ends about a checkpoint that is being written at that moment: the file backend replaces the checkpoint
# at once, but writes the attributes beside it in place (seen in a stack's read of itself, engine 3.259.0, 2026-11-24;
# `setAttrs` of gocloud.dev's fileblob).
_TORN: Final = ("EOF", "unexpected end of JSON input")
_TORN_PAUSES_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Waits before a torn read is tried again; a write takes microseconds, a network drive's less than a second."""


def qualified(stack: str, *, project: str) -> str:
    """The full name of a stack: `organization/<project>/<stack>` unless it is a full name already.

    Args:
        stack: Short or full name.
        project: The project that a short name belongs to.

    Raises:
        RefusalError: It has two parts, or an empty one.
    """
    parts = stack.split("/")
    if not all(parts) or len(parts) not in (1, 3):
        raise RefusalError(
            value=f"stack: {stack!r}",
            rule="a stack is named by its short name, or by organization/project/stack",
            reason="with two parts the engine cannot tell a project from an organization",
            remedy="write the short name, such as madrid-central, in the stack file",
        )
    return stack if len(parts) == 3 else f"organization/{project}/{stack}"


def read_outputs(stack: str, *, wait: Callable[[float], None] = time.sleep) -> Mapping[str, Any] | None:
    """Outputs of a stack in the same backend, without those that are secret.

    Args:
        stack: Full name.
        wait: Sleeps for some seconds.

    Returns:
        None where there is no such stack; an empty mapping where it is destroyed.

    Raises:
        StackReadError: The backend failed.
    """
    try:
        answer = _invoke(stack, wait)
    except Exception as error:  # the SDK raises bare Exception for what the engine answers
        if _MISSING in str(error):
            return None
        raise StackReadError(stack, str(error)) from error
    outputs: Mapping[str, Any] = answer.get("outputs") or {}
    secrets = set(answer.get("secretOutputNames") or ())
    return {name: value for name, value in outputs.items() if name not in secrets}


def _invoke(stack: str, wait: Callable[[float], None]) -> Mapping[str, Any]:
    """Ask the engine; again where it read a checkpoint that was being written."""
    for pause in _TORN_PAUSES_S:
        try:
            return dict(pulumi.runtime.invoke(_TOKEN, {"name": stack}).value)
        except Exception as error:
            if not str(error).rstrip().endswith(_TORN):
                raise
        wait(pause)
    return dict(pulumi.runtime.invoke(_TOKEN, {"name": stack}).value)
