"""What this plugin refuses, as exceptions; it never puts key material into a message.

TlsPluginError
├── InvalidPropertyError      the caller's fault: one property breaks a rule
├── NotServedError            the caller's fault: a token or an operation that only the official plugin has
└── BrokenStateError          the stack's fault: the recorded state is not what this plugin or the official one writes
"""

from __future__ import annotations


class TlsPluginError(Exception):
    """Root of everything that this plugin raises on purpose."""


class InvalidPropertyError(TlsPluginError):
    """A property's value breaks a rule.

    Args:
        name: the property's name in the program's camelCase form, as the engine reports it.
        value: the value given, already safe to print (a description for keys, never the key).
        rule: what a value must satisfy.
        reason: why the rule exists.
        remedy: what to change and where.
    """

    def __init__(self, name: str, *, value: str, rule: str, reason: str, remedy: str) -> None:
        super().__init__(f"{name} is {value}. Rule: {rule}. Reason: {reason}. To fix: {remedy}.")
        self.name = name


class NotServedError(TlsPluginError):
    """A resource type, function or operation that this plugin does not have."""

    def __init__(self, what: str, *, rule: str, reason: str, remedy: str) -> None:
        super().__init__(f"{what} was asked for. Rule: {rule}. Reason: {reason}. To fix: {remedy}.")


class BrokenStateError(TlsPluginError):
    """A value in the stack's state cannot be understood."""

    def __init__(self, name: str, *, value: str, rule: str, reason: str, remedy: str) -> None:
        super().__init__(f"{name} in the state is {value}. Rule: {rule}. Reason: {reason}. To fix: {remedy}.")
