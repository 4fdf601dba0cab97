"""From what VMs have published through OneGate to the list of a zone's nodes. It trusts OneGate with public keys only:
any VM of a service may write its siblings' attributes, so nothing here becomes a root of trust.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from components.errors import RefusalError
from components.node_names import node_name, parse_vm_name, partition_id
from components.roster import Node, make_node

PUBLIC_KEY_ATTRIBUTE = "FL_NODE_PUBKEY"


@dataclass(frozen=True, kw_only=True)
class PublishedVm:
    """A VM of the pool's service."""

    name: str
    """As OneFlow named it."""
    attributes: Mapping[str, str]
    """Its user template, names in upper case."""


def read_nodes(
    vms: Sequence[PublishedVm], *, zone: str, partition_base: int, report: Callable[[str], None]
) -> tuple[Node, ...]:
    """The nodes that can be enrolled, sorted by partition.

    Args:
        vms: All VMs of the service.
        zone: The zone's name.
        partition_base: Partition of VM 0.
        report: Told of each VM that has not published its key yet.

    Raises:
        RefusalError: A VM name is not OneFlow's, a key is malformed, or the partitions of the zone are used up.
    """
    nodes = []
    for vm in vms:
        name = parse_vm_name(vm.name)
        encoded = vm.attributes.get(PUBLIC_KEY_ATTRIBUTE)
        if not encoded:
            report(
                f"{vm.name} has not published its key yet and is left out of `nodes`; "
                "run pulumi up again when its VM says READY"
            )
            continue
        nodes.append(
            make_node(
                name=node_name(zone, name),
                public_key=_decode(encoded, vm.name),
                partition_id=partition_id(partition_base, name),
            )
        )
    return tuple(sorted(nodes, key=lambda node: node.partition_id))


def _decode(encoded: str, vm_name: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode("ascii").strip()
    except ValueError as error:
        raise RefusalError(
            value=f"{PUBLIC_KEY_ATTRIBUTE} of {vm_name}: {encoded[:32]!r}",
            rule="it is the base64 of an OpenSSH public key line",
            reason="OneGate mangles other text, and the centre registers exactly this key",
            remedy="terminate the VM: OneFlow makes a new one with a new key",
        ) from error
