"""What can go wrong in a zone, as exceptions that carry OpenNebula's code. It formats no replies.

    ZoneboxError
    |-- OneError                the caller's fault, answered with a code of OpenNebula
    |   |-- NotAuthenticated    256   wrong user or password
    |   |-- NotAuthorized       512   permissions, quotas
    |   |-- NotFound           1024   no object with this id
    |   |-- ActionRefused      2048   the object's state or use forbids it
    |   |-- BadCall            4096   unknown method, wrong parameters
    |   |-- Refused            8192   the content of the request is wrong
    |   |-- NotAllocated      16384   an image could not be registered
    |   |-- Locked            32768   the object is locked
    |   `-- Injected            any   a fault that a test asked for
    |-- ConfigError             the operator's fault: options, addresses, files of the zone
    `-- ControlError            the tester's fault: what is asked of the control API
        `-- BadFault            a fault that is not there, or could never do what it says

Codes: OpenNebula 7.0 XML-RPC API; the texts that are recorded are held by tests/parity.
"""
# ruff: noqa: N818 - the names say what happened to the caller; OpenNebula itself calls them results, not errors

from __future__ import annotations


class ZoneboxError(Exception):
    """Root of everything that zonebox raises on purpose."""


class OneError(ZoneboxError):
    """A refusal that the caller sees as `[method] text`, with OpenNebula's code.

    Args:
        text: the message without the method's name.
        object_id: id of the object concerned, -1 for none.
    """

    code: int = 8192

    def __init__(self, text: str, object_id: int = -1) -> None:
        super().__init__(text)
        self.text = text
        self.object_id = object_id


class NotAuthenticated(OneError):
    """User and password do not belong together."""

    code = 256

    def __init__(self) -> None:
        super().__init__("User couldn't be authenticated, aborting call.")


class NotAuthorized(OneError):
    """The user may not do this with this object, or a quota is spent."""

    code = 512


class NotFound(OneError):
    """There is no such object; OpenNebula's clients recognise it by "Error getting"."""

    code = 1024

    def __init__(self, noun: str, object_id: int) -> None:
        super().__init__(f"Error getting {noun} [{object_id}].", object_id)


class ActionRefused(OneError):
    """The object exists but its state or its users forbid the action."""

    code = 2048


class BadCall(OneError):
    """The call itself is wrong: its method or its parameters."""

    code = 4096


class Refused(OneError):
    """The content of the request is refused."""

    code = 8192


class NotAllocated(OneError):
    """An object could not be registered."""

    code = 16384


class Locked(OneError):
    """The object is locked against this operation."""

    code = 32768


class Injected(OneError):
    """A refusal that a test asked for.

    Args:
        text: the message without the method's name.
        code: OpenNebula's code.
    """

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


class _FourPartError(ZoneboxError):
    """An error for people who start zones and test with them: value, rule, reason, remedy."""

    def __init__(self, value: str, rule: str, reason: str, remedy: str) -> None:
        super().__init__(f"{value}: {rule}; {reason}. {remedy}")
        self.value = value
        self.rule = rule
        self.reason = reason
        self.remedy = remedy


class ConfigError(_FourPartError):
    """An option, address or file that the zone cannot start with.

    Args:
        value: what was given.
        rule: what is allowed.
        reason: why.
        remedy: what to change, and where.
    """


class ControlError(_FourPartError):
    """The control API cannot do what it was asked to.

    Args:
        value: what was asked.
        rule: what is allowed.
        reason: why.
        remedy: what to change, and where.
    """


class BadFault(ControlError):
    """A fault that is not there, or could never do what it says."""
