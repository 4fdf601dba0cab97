"""OneFlow's JSON for a service of one role. It names VM templates and counts, and never carries a setting of Flower's:
what OneFlow keeps in a service document is readable by every VM of the service.
"""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Role:
    """The only role of a service."""

    name: str
    r"""Matches `^\w+$`: OneFlow takes no hyphen."""
    max_vms: int
    min_vms: int = 0
    cardinality: int = 1
    """What the service template says; a pool's real size goes through `scaled`, so that a change stays one update."""


def service_template(*, name: str, description: str, role: Role, vm_template_id: int) -> str:
    """A service template: `straight`, and running only when every VM of the role has said READY.

    Args:
        name: The template's name.
        description: For people.
        role: Its only role.
        vm_template_id: The VM template that the role instantiates.
    """
    return _dump(
        {
            "name": name,
            "description": description,
            "deployment": "straight",
            "ready_status_gate": True,
            "roles": [
                {
                    "name": role.name,
                    "type": "vm",
                    "template_id": vm_template_id,
                    "cardinality": role.cardinality,
                    "min_vms": role.min_vms,
                    "max_vms": role.max_vms,
                    # Without it OneFlow waits five minutes after scaling before it calls the service running again.
                    "cooldown": 5,
                }
            ],
        }
    )


def scaled(role: Role, *, cardinality: int) -> str:
    """What is merged over the service template: the role's number of VMs, named, in the template's order."""
    return _dump({"roles": [{"name": role.name, "cardinality": cardinality}]})


def _dump(document: object) -> str:
    return json.dumps(document, sort_keys=True)
