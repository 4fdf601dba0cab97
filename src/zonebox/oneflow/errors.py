"""What OneFlow refuses, with OneFlow's own texts. It chooses no HTTP status: `http` maps these classes to codes.

    zonebox.errors.ZoneboxError
    |-- FlowError            text for the caller, as OneFlow 7.0.1 words it
    |   |-- BadRequest       the document or the request is wrong
    |   |   `-- BadJson      the request is not JSON
    |   |-- Refused          the service's state, or its limits, forbid the action
    |   `-- Unexpected       what makes OneFlow itself stumble; answered as an internal error with a reason
    |-- NetworksFailed       the service's networks could not be made or removed; never reaches a caller
    `-- RoleFailed           a role could not be deployed or removed; never reaches a caller, the service's log has it

oned's refusals (`zonebox.errors.OneError`) pass through OneFlow unchanged; `oned_text` gives them the method's name.
"""

from __future__ import annotations

from zonebox.errors import OneError, ZoneboxError


class FlowError(ZoneboxError):
    """A refusal whose text goes to the caller.

    Args:
        text: what OneFlow says.
        brief: the same for the zone's log, where the text repeats the request: CONTEXT's secrets may be in that.
    """

    def __init__(self, text: str, *, brief: str = "") -> None:
        super().__init__(text)
        self.brief = brief or text


class BadRequest(FlowError):  # noqa: N818
    """The document or the request is wrong."""


class BadJson(BadRequest):
    """The request is not JSON."""

    def __init__(self, text: str) -> None:
        super().__init__(f"unexpected token at '{text}'", brief="the request is not JSON")


class Refused(FlowError):  # noqa: N818
    """The state of the service, or the limits of a role, forbid the action."""


class Unexpected(FlowError):  # noqa: N818
    """Something that OneFlow does not expect and answers as an internal error."""


class NetworksFailed(ZoneboxError):  # noqa: N818
    """A network of the service could not be made or removed."""


class RoleFailed(ZoneboxError):  # noqa: N818
    """The VMs of a role could not all be made or removed."""


def oned_text(method: str, error: OneError) -> str:
    """The text that oned's client sees, such as `[one.document.info] Error getting document [4].`"""
    return f"[{method}] {error.text}"
