"""What OneGate refuses, with OneGate's own texts. It chooses no HTTP status: `http` maps these classes to codes.

zonebox.errors.ZoneboxError
`-- GateError            text for the VM, as OneGate 7.0.1 words it
    |-- NotTrusted       the token does not prove that the caller is the VM
    |-- Forbidden        an attribute or action that a VM may not touch
    |-- Misdirected      the request makes no sense for this VM
    |-- Missing          an object that OneGate looked for does not exist
    `-- Broken           what OneGate or oned stumbles over
"""

from __future__ import annotations

from zonebox.errors import ZoneboxError


class GateError(ZoneboxError):
    """A refusal whose text goes to the VM."""


class NotTrusted(GateError):  # noqa: N818
    """The token does not prove that the caller is the VM."""

    def __init__(self) -> None:
        super().__init__("Not authorized")


class Forbidden(GateError):  # noqa: N818
    """An attribute or action that a VM may not touch."""


class Misdirected(GateError):  # noqa: N818
    """The request makes no sense for this VM."""


class Missing(GateError):  # noqa: N818
    """An object that OneGate looked for does not exist."""


class Broken(GateError):  # noqa: N818
    """What OneGate or oned stumbles over; the VM learns no more (recorded)."""

    def __init__(self, text: str = "Internal server error") -> None:
        super().__init__(text)
