"""Everything that this package raises on purpose, each with the four parts that its reader needs.

It classifies by whose fault an error is; it retries nothing and prints nothing.

    FlowerError
    ├── CallerError               the program or its operator has to change something
    │   ├── InvalidInputError     a value breaks a rule before anything is asked of the SuperLink
    │   ├── KeyRevokedError       the key was unregistered once; Flower never lets it in again
    │   └── KeyTakenError         the key is registered under another name
    └── SuperLinkError            the SuperLink, or the way to it, has to change
        ├── UnreachableError      no connection, or one that broke off
        ├── UntrustedError        its certificate does not stand up to the federation CA
        ├── RefusedError          an answer with a status that is not 200
        └── BadAnswerError        an answer that is not what Flower's Control API sends
"""

from __future__ import annotations


class FlowerError(Exception):
    """Root of the package's errors.

    Args:
        value: what was given, quoted where that is safe.
        rule: what has to hold.
        reason: why it has to.
        remedy: what to change, and where.
    """

    def __init__(self, *, value: str, rule: str, reason: str, remedy: str) -> None:
        self.value = value
        self.rule = rule
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"{value}: {rule}, because {reason}. {remedy}")


class CallerError(FlowerError):
    """The program or its operator has to change something."""


class InvalidInputError(CallerError):
    """A value breaks a rule before anything is asked of the SuperLink.

    Args:
        property_name: the resource or provider property that holds the value.
    """

    def __init__(self, *, property_name: str, value: str, rule: str, reason: str, remedy: str) -> None:
        self.property_name = property_name
        super().__init__(value=value, rule=rule, reason=reason, remedy=remedy)


class KeyRevokedError(CallerError):
    """The key was unregistered once; Flower never lets it in again."""


class KeyTakenError(CallerError):
    """The key is registered under another name."""


class SuperLinkError(FlowerError):
    """The SuperLink, or the way to it, has to change."""


class UnreachableError(SuperLinkError):
    """No connection came about, or it broke off. Repeating may help."""


class UntrustedError(SuperLinkError):
    """The SuperLink's certificate does not stand up to the federation CA. Repeating does not help."""


class RefusedError(SuperLinkError):
    """The SuperLink answered with an HTTP status other than 200.

    Args:
        status: the HTTP status.
        code: Flower's own error code (flwr.supercore.error.ApiErrorCode), None where the answer carries none, for
            example because a gateway wrote it.
    """

    def __init__(self, *, status: int, code: int | None, value: str, rule: str, reason: str, remedy: str) -> None:
        self.status = status
        self.code = code
        super().__init__(value=value, rule=rule, reason=reason, remedy=remedy)


class BadAnswerError(SuperLinkError):
    """The answer is not what Flower's Control API sends."""
