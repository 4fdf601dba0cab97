"""What this package raises, and the form of its messages. Catches nothing.

OpenNebulaError
|-- MistakeError            the program, the configuration or the environment has to change
|   |-- ConfigurationError  settings of the provider
|   `-- InputError          properties of a resource or arguments of a function
|-- DefectError             this package did not understand what it met
`-- CloudError              the zone refused, failed or did not answer
    |-- UnreachableError    an endpoint gave no usable answer
    |-- RefusedError        an endpoint answered with an error of its own
    |   |-- CredentialsError    wrong user or password
    |   |-- NotAllowedError     the user may not do that
    |   `-- NotFoundError       the object is not there (any more)
    |-- FailedObjectError   an object ended in an error state
    |-- NotRunningError     a VM that was made does not run (any more); it is kept
    |-- WaitedTooLongError  an object did not get ready in time
    `-- CancelledError      the engine asked to stop
"""

from __future__ import annotations


class OpenNebulaError(Exception):
    """The root. A message says the value, the rule, the reason, and what to change and where."""

    def __init__(self, value: str, rule: str, reason: str, remedy: str) -> None:
        super().__init__(f"{value}: {rule}, because {reason.rstrip('.')}. {remedy}.")
        self.value = value
        self.rule = rule
        self.reason = reason
        self.remedy = remedy


class MistakeError(OpenNebulaError):
    """The caller's fault: nothing was asked of the cloud."""


class ConfigurationError(MistakeError):
    """A setting of the provider is missing or wrong."""


class InputError(MistakeError):
    """A property is refused.

    Attributes:
        path: Where in the inputs, such as `nics[0].networkId`.
    """

    def __init__(self, path: str, value: str, rule: str, reason: str, remedy: str) -> None:
        super().__init__(value, rule, reason, remedy)
        self.path = path


class DefectError(OpenNebulaError):
    """A defect of this package. It shows no value: that may be a secret."""


class CloudError(OpenNebulaError):
    """The zone's side."""


class UnreachableError(CloudError):
    """An endpoint gave no usable answer."""


class RefusedError(CloudError):
    """An endpoint answered with an error.

    Attributes:
        code: XML-RPC error code of oned (0x0100 and up), or HTTP status of OneFlow.
        answer: What the endpoint said.
    """

    def __init__(self, value: str, rule: str, reason: str, remedy: str, *, code: int = 0, answer: str = "") -> None:
        super().__init__(value, rule, reason, remedy)
        self.code = code
        self.answer = answer


class CredentialsError(RefusedError):
    """Wrong user or password."""


class NotAllowedError(RefusedError):
    """The user may not do that."""


class NotFoundError(RefusedError):
    """The object is not there (any more)."""


class FailedObjectError(CloudError):
    """An object ended in an error state that waiting does not change."""


class NotRunningError(CloudError):
    """A VM that was made does not run (any more). It is kept, because its disks may hold something."""


class WaitedTooLongError(CloudError):
    """An object did not get ready in the time given."""


class CancelledError(CloudError):
    """The engine asked to stop while an object was being waited for."""
