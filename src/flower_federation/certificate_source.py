"""Client certificates out of the central stack's secret outputs. It issues none and keeps none.

Reading them needs the passphrase of the central stack's state: whoever has it is an operator of the centre.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from flower_federation.control_certificate import ControlCertificate
from flower_federation.environment import Layout, merged
from flower_federation.errors import InputError
from flower_federation.operations import choose
from flower_federation.setup import is_offline, project_folder
from flower_federation.stacks import Stacks, read_stack_files

CERTIFICATES_OUTPUT = "control_certificates"
"""Secret output of the central stack: name -> `certificate`, `key`, `role`."""
OPERATOR_OUTPUT = "operator_certificate"
"""Secret output of the central stack: `certificate` and `key` of the stack's own operator."""


def central_secrets() -> dict[str, Any]:
    """Outputs of the centre of this clone, secrets in clear.

    Raises:
        InputError: it is not up.
    """
    layout = Layout(project=project_folder())
    environment = merged(os.environ, layout, offline=is_offline(layout))
    stacks = Stacks(layout=layout, environment=environment, say=lambda _: None, clock=time.monotonic)
    federation, _ = choose(read_stack_files(layout.project), ())
    outputs = stacks.secret_outputs(federation.central)
    if not outputs:
        raise InputError(
            given=f"stack {federation.central.name}: not up",
            rule="the federation is up",
            reason="its centre issues the certificates",
            remedy="run federation up first",
        )
    return outputs


def operator_certificate() -> ControlCertificate:
    """The certificate of the stack itself.

    Raises:
        InputError: the stack is not up, or issued none.
    """
    return from_outputs(central_secrets(), name=None)


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
