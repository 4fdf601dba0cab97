"""Client certificates out of the central stack's secret outputs. It issues none and keeps none.

Reading them needs the passphrase of the central stack's state: whoever has it is an operator of the centre.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flower_federation.control_certificate import ControlCertificate
from flower_federation.errors import InputError

CERTIFICATES_OUTPUT = "control_certificates"
"""Secret output of the central stack: name -> `certificate`, `key`, `role`."""
OPERATOR_OUTPUT = "operator_certificate"
"""Secret output of the central stack: `certificate` and `key` of the stack's own operator."""


def from_outputs(outputs: Mapping[str, Any], *, name: str | None) -> ControlCertificate:
    """One certificate.

    Args:
        outputs: of the central stack, secrets in clear.
        name: of a person; None for the stack's own operator.

    Raises:
        InputError: there is none.
    """
    people = outputs.get(CERTIFICATES_OUTPUT) or {}
    found = outputs.get(OPERATOR_OUTPUT) if name is None else people.get(name)
    if not found:
        raise InputError(
            given=f"certificate of {name or 'the stack itself'}: none; there are {', '.join(sorted(people)) or 'none'}",
            rule="the central stack has issued one",
            reason="the CA's key is in that stack's state and nowhere else",
            remedy="add the person to people in the central stack's file, with a role, and run pulumi up there",
        )
    return ControlCertificate(
        certificate=str(found["certificate"]),
        key=str(found["key"]),
        ca_certificate=str(outputs["ca_certificate"]),
        endpoint=str(outputs["superlink_control_endpoint"]),
    )


def names(outputs: Mapping[str, Any]) -> tuple[str, ...]:
    """People with a certificate."""
    return tuple(sorted(outputs.get(CERTIFICATES_OUTPUT) or {}))
